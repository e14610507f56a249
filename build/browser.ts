/**
 * Builds the page that quantizes in a browser, into `dist/browser/`: static files for any web server.
 *
 *     deno run -A build/browser.ts
 *
 * A development tool; nothing that ships imports it.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { bundle, stopBundling } from "./bundle.ts";
import { buildOnce } from "./cached.ts";
import { NPM_FOLDER } from "./install.ts";

const ROOT = new URL("../", import.meta.url);
/** Folder that is written. */
export const BROWSER_FOLDER = new URL("dist/browser/", ROOT);
const RUNTIME = "ort-wasm-simd-threaded.wasm";

/** Builds the page, unless it was built from the present sources. */
export async function buildBrowser(): Promise<void> {
  await buildOnce(new URL(".stamp", BROWSER_FOLDER), build);
}

async function build(): Promise<void> {
  await Deno.mkdir(new URL("demo/", BROWSER_FOLDER), { recursive: true });
  for (
    const [entry, name] of [["browser/page/main.ts", "main.js"], ["browser/worker.ts", "worker.js"]]
  ) {
    const { byteLength } = await bundle({
      entry: `apps/${entry}`,
      outfile: `dist/browser/${name}`,
      platform: "web",
    });
    console.log(`${name}: ${byteLength} bytes`);
  }
  await stopBundling();
  const page = new URL("apps/browser/page/", ROOT);
  // One palette for the page and its reports.
  const styles = await Promise.all(
    [new URL("pipeline/report/page/client/style.css", ROOT), new URL("style.css", page)]
      .map((url) => Deno.readTextFile(url)),
  );
  await Deno.writeTextFile(new URL("style.css", BROWSER_FOLDER), styles.join("\n"));
  await Deno.copyFile(new URL("index.html", page), new URL("index.html", BROWSER_FOLDER));
  await Deno.copyFile(
    new URL(`node_modules/onnxruntime-web/dist/${RUNTIME}`, NPM_FOLDER),
    new URL(RUNTIME, BROWSER_FOLDER),
  );
  for (const name of ["model.onnx", "calibration-images-idx3-ubyte.gz", "preprocess.json"]) {
    await Deno.copyFile(
      new URL(`data/fashion/${name}`, ROOT),
      new URL(`demo/${name}`, BROWSER_FOLDER),
    );
  }
}

if (import.meta.main) await buildBrowser();
