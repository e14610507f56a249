// deno-lint-ignore-file no-console
/** Samples that the program makes itself, one at a time: nothing is held that isn't at work. */
import { readFile, writeFile } from "node:fs/promises";
import { quantize } from "plimsoll";

async function* samples() {
  for (let i = 0; i < 64; i++) {
    const data = new Float32Array(3 * 224 * 224); // In place of what a camera or a database gives.
    data.forEach((_, at) => data[at] = Math.sin(at * (i + 1) / 1000));
    yield { input: { data, dims: [3, 224, 224] } };
  }
}

const { model, manifest } = await quantize(await readFile("m.onnx"), samples(), { bits: 8 }, {
  onEvent: ({ kind }) => console.log(kind),
});
await writeFile("m-int8.onnx", model);
console.log(manifest.activations.length, "tensors quantized");
