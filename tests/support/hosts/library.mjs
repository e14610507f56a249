// The npm package as a library of Node: prints the hashes of what it makes of the demo, here and in two threads.
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import {
  calibrate,
  createHandler,
  loadFloatModel,
  openPreparedSamples,
  preprocessingFrom,
  presetTarget,
  quantize,
  startWorker,
  writePlim,
} from "plimsoll";

const data = join(
  dirname(createRequire(import.meta.url).resolve("plimsoll/package.json")),
  "data/fashion",
);
const float = await loadFloatModel(await readFile(join(data, "model.onnx")), "model.onnx");
const packed = await readFile(join(data, "calibration-images-idx3-ubyte.gz"));
const preprocessing = preprocessingFrom(
  JSON.parse(await readFile(join(data, "preprocess.json"), "utf8")),
  "preprocess.json",
);
const open = async () =>
  await openPreparedSamples(new Blob([packed]).stream(), {
    ...{ name: "the demo", preprocessing, limit: 64, byteLength: packed.length },
  });
const target = presetTarget("default");
const hash = (bytes) => createHash("sha256").update(bytes).digest("hex");

const { samples, source, preprocessing: sha256 } = await open();
const rewrites = { reluBounds: true };
const rewritten = await loadFloatModel(await readFile(join(data, "model.onnx")), "model.onnx", {
  rewrites,
});
const made = await quantize(rewritten, samples, { target, source, preprocessing: sha256 });
const again = await open();
const inThreads = await calibrate(again.samples, {
  ...{ model: rewritten.prepared, modelSha256: float.sha256, rewrites, target },
  ...{ source, preprocessing: sha256, workers: 2, startWorker },
});
const health = await (await createHandler().fetch(new Request("http://localhost/health"))).json();
process.stdout.write(JSON.stringify({
  statistics: hash(made.statistics),
  model: hash(made.model),
  inThreads: hash(await writePlim(inThreads)),
  health: health.status,
}));
process.exit();
