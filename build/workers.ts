/**
 * Builds what workerd runs:
 *
 *     dist/workerd/    worker.js, plimsoll.js and three .wasm files: everything
 *     dist/edge/       worker.js: search and emission from a statistics file, no WebAssembly
 *
 *     deno run -A build/workers.ts
 *
 * A development tool; nothing that ships imports it.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { imageBinary } from "../wasm/image.ts";
import { histogramBinary } from "../wasm/instance.ts";
import { type Bundle, bundle, stopBundling } from "./bundle.ts";
import { NPM_FOLDER } from "./install.ts";

/** Where the workers go. */
export const WORKERD_FOLDER = new URL("../dist/workerd/", import.meta.url);
/** Where the small one goes. */
export const EDGE_FOLDER = new URL("../dist/edge/", import.meta.url);

const SOURCES = new URL("./workerd/", import.meta.url);
const RUNTIME = "ort-wasm-simd-threaded.wasm";

/** workerd's own program, without miniflare around it. */
export const WORKERD = new URL(
  `node_modules/@cloudflare/workerd-${Deno.build.os === "darwin" ? "darwin" : "linux"}-${
    Deno.build.arch === "aarch64" ? "arm64" : "64"
  }/bin/workerd`,
  NPM_FOLDER,
);

/** Builds both workers. */
export async function buildWorkers(): Promise<{ workerd: Bundle; edge: Bundle }> {
  for (const folder of [WORKERD_FOLDER, EDGE_FOLDER]) {
    await Deno.mkdir(folder, { recursive: true });
    await Deno.copyFile(new URL("wrangler.jsonc", SOURCES), new URL("wrangler.jsonc", folder));
  }
  const workerd = await bundle({
    entry: "apps/hosts/workerd.ts",
    outfile: "dist/workerd/plimsoll.js",
    platform: "web",
    embedWasm: false,
  });
  await Deno.copyFile(new URL("worker.js", SOURCES), new URL("worker.js", WORKERD_FOLDER));
  await Deno.copyFile(
    new URL(`node_modules/onnxruntime-web/dist/${RUNTIME}`, NPM_FOLDER),
    new URL(RUNTIME, WORKERD_FOLDER),
  );
  await Deno.copyFile(
    new URL("workerd.capnp", SOURCES),
    new URL("workerd.capnp", WORKERD_FOLDER),
  );
  await Deno.writeFile(new URL("histogram.wasm", WORKERD_FOLDER), histogramBinary(true));
  await Deno.writeFile(new URL("image.wasm", WORKERD_FOLDER), imageBinary());
  const edge = await bundle({
    entry: "apps/hosts/workerd_edge.ts",
    outfile: "dist/edge/worker.js",
    platform: "web",
    embedWasm: false,
  });
  await Deno.copyFile(new URL("edge.capnp", SOURCES), new URL("edge.capnp", EDGE_FOLDER));
  return { workerd, edge };
}

if (import.meta.main) {
  const built = await buildWorkers();
  await stopBundling();
  for (const [name, { byteLength, modules }] of Object.entries(built)) {
    console.log(`${name}: ${byteLength} bytes of JavaScript from ${modules.size} modules`);
  }
}
