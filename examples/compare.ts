// deno-lint-ignore-file no-console
/** Three error methods from one pass over the samples, and which of the models is closest to float. */
import { readFile, writeFile } from "node:fs/promises";
import { loadFloatModel, openSamples, quantizeAll } from "plimsoll";
import { evaluateModels } from "plimsoll/search";

const float = await loadFloatModel(await readFile("m.onnx"), "m.onnx");
const samples = openSamples("images/", { preprocess: "imagenet" });
const made = await quantizeAll(float, [
  { name: "mse", error: "mse" },
  { name: "kl", error: "kl" },
  { name: "noclipping", error: "noclipping" },
], samples);

const models = [
  { name: "float", model: float.original },
  ...made.map(({ name, emitted }) => ({ name, model: emitted })),
];
const found = await evaluateModels(models, await samples.open(), {});
for (const { name, sqnr, agreement } of found) console.log(name, { sqnr, agreement });
const [, ...quantized] = found;
const best = quantized.reduce((a, b) => (b.sqnr ?? Infinity) > (a.sqnr ?? Infinity) ? b : a);
await writeFile("m-int8.onnx", made.find(({ name }) => name === best.name)!.model);
