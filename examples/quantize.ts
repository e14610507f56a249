import { readFile, writeFile } from "node:fs/promises";
import { openSamples, quantize } from "plimsoll";

const model = await readFile("m.onnx");
const samples = openSamples("images/", { preprocess: "imagenet" });
const result = await quantize(model, samples, { target: "onnxruntime" });
await writeFile("m-int8.onnx", result.model);
