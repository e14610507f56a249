/**
 * Starts a command with the least permissions that it works with: `deno run --allow-run --allow-read launch.ts COMMAND …`.
 * It reads arguments and nothing else; models and data are read by the process that it starts.
 *
 * @module
 */
import { denoFlags, LAUNCHED, permissionsFor } from "./apps/cli/permissions.ts";
import { nativeLibraries } from "./apps/hosts/native_package.ts";
import { parent } from "./apps/hosts/failures.ts";

const root = new URL("./", import.meta.url).pathname;
/** The runtime's WebAssembly, in the cache of packages. */
const web = new URL(import.meta.resolve("onnxruntime-web/wasm"));

const permissions = permissionsFor(Deno.args, {
  program: [root, new URL("./", web).pathname].map(decodeURIComponent).map(withoutDrive),
  library: withoutDrive(
    decodeURIComponent(nativeLibraries(web, Deno.build).pathname),
  ),
  parent,
  kindOf: (path) => {
    try {
      return Deno.statSync(path).isDirectory ? "folder" : "file";
    } catch {
      return undefined;
    }
  },
});
const child = new Deno.Command(Deno.execPath(), {
  args: [
    "run",
    "--no-prompt",
    ...denoFlags(permissions),
    withoutDrive(`${root}main.ts`),
    LAUNCHED,
    ...Deno.args,
  ],
}).spawn();
// A terminal sends both an interrupt; whoever ends this process alone means the other one.
Deno.addSignalListener("SIGINT", () => {});
if (Deno.build.os !== "windows") {
  Deno.addSignalListener("SIGTERM", () => child.kill("SIGTERM"));
}
const { code } = await child.status;
Deno.exit(code);

/** A path of an address: on Windows without the stroke before its drive. */
function withoutDrive(path: string): string {
  return Deno.build.os === "windows" ? path.replace(/^\//, "") : path;
}
