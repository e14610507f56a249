/**
 * The page that quantizes in the browser, for servers with a file system. It is on when `deno task build:browser` has
 * made it. Only the files named here are ever read, whatever a request asks for.
 *
 * @module
 */

const FOLDER = new URL("../../dist/browser/", import.meta.url);
const BINARY = "application/octet-stream";
/** Paths that are answered, with their media types. */
const TYPES: Readonly<Record<string, string>> = {
  "index.html": "text/html; charset=utf-8",
  "style.css": "text/css; charset=utf-8",
  "main.js": "text/javascript; charset=utf-8",
  "worker.js": "text/javascript; charset=utf-8",
  "ort-wasm-simd-threaded.wasm": "application/wasm",
  "demo/model.onnx": BINARY,
  "demo/calibration-images-idx3-ubyte.gz": BINARY,
  "demo/preprocess.json": "application/json",
};

/** A file of the page; undefined for every other request, and where the page isn't built. */
export async function pageFile({ method, url }: Request): Promise<Response | undefined> {
  if (method !== "GET") return undefined;
  const name = new URL(url).pathname.slice(1) || "index.html";
  if (!Object.hasOwn(TYPES, name)) return undefined;
  try {
    const { body } = await fetch(new URL(name, FOLDER));
    return new Response(body, {
      headers: {
        "content-type": TYPES[name],
        "x-content-type-options": "nosniff",
        "cache-control": "no-cache",
        // A page that shares its process with nobody has a clock of 5 µs instead of 100, which profiles want.
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-embedder-policy": "require-corp",
      },
    });
  } catch {
    return undefined;
  }
}
