// The npm package as a library of Node: prints the hashes of what it makes of the demo, here and in two threads.
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { openSamples, quantize, startWorker } from "plimsoll";
import { createHandler } from "plimsoll/http";

const data = join(
  dirname(createRequire(import.meta.url).resolve("plimsoll/package.json")),
  "data/fashion",
);
const model = await readFile(join(data, "model.onnx"));
const preprocess = JSON.parse(await readFile(join(data, "preprocess.json"), "utf8"));
const samples = openSamples(join(data, "calibration-images-idx3-ubyte.gz"), {
  preprocess,
  limit: 64,
});
const hash = (bytes) => createHash("sha256").update(bytes).digest("hex");

const made = await quantize(model, samples, { target: "default" });
const inThreads = await quantize(model, samples, { target: "default" }, {
  workers: 2,
  startWorker,
});
const health = await (await createHandler().fetch(new Request("http://localhost/health"))).json();
process.stdout.write(JSON.stringify({
  statistics: hash(made.statistics),
  model: hash(made.model),
  inThreads: hash(inThreads.statistics),
  health: health.status,
}));
process.exit();
