/** Bundles for hosts that are not Deno, and what such hosts supply. */
import assert from "node:assert/strict";
import { bundle, bundleAll, stopBundling } from "../../build/bundle.ts";
import { NPM_FOLDER } from "../../build/install.ts";
import { calibrate } from "../../pipeline/passes/calibrate.ts";
import { writePlim } from "../../pipeline/statistics/plim.ts";
import { rewriteModel } from "../../pipeline/quantize/quantize.ts";
import { rewritesFor } from "../../tpc/targets/rewrites_for.ts";
import { presetTarget } from "../../tpc/targets/read_target.ts";
import { imageBinary } from "../../wasm/image.ts";
import { histogramBinary } from "../../wasm/instance.ts";
import { inFolder } from "../support/cli.ts";
import { DEMO_MODEL, demoModel, demoSamples } from "../support/demo.ts";

const ORT_WASM = new URL(
  "node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.wasm",
  NPM_FOLDER,
);

Deno.test({
  name: "a web bundle calibrates in a module worker, from bytes and from compiled modules",
  sanitizeResources: false,
  sanitizeOps: false,
  fn: () =>
    inFolder(async (folder) => {
      await bundleAll({
        entries: { library: "pipeline/mod.ts", statistics: "pipeline/mod_statistics.ts" },
        outdir: folder,
        platform: "web",
        embedWasm: false,
      });
      await stopBundling();
      await Deno.copyFile(
        "tests/support/bundles/calibrate_worker.js",
        `${folder}/calibrate_worker.js`,
      );
      const target = presetTarget("onnxruntime")!;
      const float = await rewriteModel(await demoModel(), rewritesFor(target));
      const expected = await writePlim(
        await calibrate(await demoSamples(3), {
          ...{ model: float.prepared, modelSha256: float.sha256, rewrites: float.rewrites, target },
        }),
      );
      const bytes = await Deno.readFile(ORT_WASM);
      for (const runtime of [bytes, await WebAssembly.compile(bytes)]) {
        const answer = await askWorker(`${folder}/calibrate_worker.js`, {
          model: await Deno.readFile(DEMO_MODEL),
          samples: await Array.fromAsync(await demoSamples(3)),
          histogram: await WebAssembly.compile(histogramBinary(true)),
          image: await WebAssembly.compile(imageBinary()),
          runtime,
        });
        assert.equal(answer.error, undefined);
        assert.deepEqual(answer.plim, expected);
      }
    }),
});

Deno.test("a bundle without WebAssembly inside says what to supply", async () => {
  await inFolder(async (folder) => {
    await bundle({
      ...{ entry: "wasm/mod.ts", outfile: `${folder}/bundle.js`, platform: "web" },
      embedWasm: false,
    });
    await stopBundling();
    const { createHistogramCore } = await import(`file://${folder}/bundle.js`);
    await assert.rejects(
      createHistogramCore({ simd: true }),
      /this bundle has no WebAssembly inside; call supplyWasm\(\{ histogram: module \}\) first/,
    );
  });
});

/** Sends one message to a module worker and returns its answer. */
async function askWorker(
  path: string,
  message: unknown,
): Promise<{ plim?: Uint8Array; error?: string }> {
  const worker = new Worker(new URL(`file://${path.replaceAll(" ", "%20")}`), { type: "module" });
  try {
    return await new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = (event) => {
        event.preventDefault();
        reject(new Error(event.message));
      };
      worker.postMessage(message);
    });
  } finally {
    worker.terminate();
  }
}
