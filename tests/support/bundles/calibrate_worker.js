// A module worker with nothing but a bundle: it is given a model, samples and compiled WebAssembly, and gives the
// bytes of the statistics.
import * as plimsoll from "./bundle.js";

globalThis.onmessage = async ({ data: { model, samples, runtime, histogram, image } }) => {
  try {
    plimsoll.supplyRuntime({ kind: "wasm", binary: runtime });
    plimsoll.supplyWasm({ histogram, image });
    const float = await plimsoll.loadFloatModel(model, "the model");
    const statistics = await plimsoll.calibrate(ReadableStream.from(samples), {
      model: float.prepared,
      modelSha256: float.sha256,
      target: plimsoll.presetTarget("onnxruntime"),
    });
    globalThis.postMessage({ plim: await plimsoll.writePlim(statistics) });
  } catch (error) {
    globalThis.postMessage({ error: String(error?.stack ?? error) });
  }
};
