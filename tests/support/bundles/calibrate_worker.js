// A module worker with nothing but a bundle: it is given a model, samples and compiled WebAssembly, and gives the
// bytes of the statistics.
import * as plimsoll from "./library.js";
import { supplyWasm } from "./statistics.js";

globalThis.onmessage = async ({ data: { model, samples, runtime, histogram, image } }) => {
  try {
    supplyWasm({ histogram, image });
    const { statistics } = await plimsoll.quantize(model, samples, { target: "onnxruntime" }, {
      runtime: plimsoll.createRuntime({ kind: "wasm", binary: runtime }),
    });
    globalThis.postMessage({ plim: statistics });
  } catch (error) {
    globalThis.postMessage({ error: String(error?.stack ?? error) });
  }
};
