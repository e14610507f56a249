/** A web server of nothing but the files of a folder, with their types. */

const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript",
  css: "text/css",
  wasm: "application/wasm",
};

/** Serves a folder on this machine. */
export function serveFolder(folder: URL): { address: string; close: () => Promise<void> } {
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    async (request) => {
      const { pathname } = new URL(request.url);
      const name = pathname === "/" ? "index.html" : pathname.slice(1);
      try {
        const type = TYPES[name.split(".").at(-1)!] ?? "application/octet-stream";
        const file = await Deno.readFile(new URL(name, folder));
        return new Response(file, { headers: { "content-type": type } });
      } catch {
        return new Response("not found", { status: 404 });
      }
    },
  );
  return { address: `http://127.0.0.1:${server.addr.port}/`, close: () => server.shutdown() };
}
