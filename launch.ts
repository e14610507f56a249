/**
 * Starts a command with the least permissions that it works with, as tasks do:
 *
 *     deno run --lock=deno.lock --allow-run --allow-read launch.ts COMMAND …
 *
 * It reads arguments and nothing else; models and data are read by the process that it starts.
 *
 * @module
 */
import { denoFlags, LAUNCHED, permissionsFor } from "./apps/cli/permissions.ts";
import { nativeLibraries } from "./apps/hosts/native_package.ts";
import { parent } from "./apps/hosts/failures.ts";

const root = new URL("./", import.meta.url).pathname;
// Nothing here imports it: only the lock file tells which package it is, and so where it will lie.
if (import.meta.resolve("onnxruntime-web/wasm").startsWith("npm:")) {
  Deno.stderr.writeSync(new TextEncoder().encode(
    "plimsoll: launch.ts wants the lock file. Run deno task, or add --lock=deno.lock behind deno run\n",
  ));
  Deno.exit(1);
}
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
    // Its packages are those that deno.lock has hashes of; deno.json names no lock file, see CONTRIBUTING.md.
    `--lock=${file("deno.lock")}`,
    "--no-prompt",
    ...denoFlags(permissions),
    file("main.ts"),
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

/** A file of the program. */
function file(name: string): string {
  return withoutDrive(decodeURIComponent(root)) + name;
}

/** A path of an address: on Windows without the stroke before its drive. */
function withoutDrive(path: string): string {
  return Deno.build.os === "windows" ? path.replace(/^\//, "") : path;
}
