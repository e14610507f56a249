/**
 * Cuts the demo data from Fashion-MNIST's four IDX files and the trained model beside them.
 * Kept for provenance; neither the product nor its tests run it.
 *
 *     deno run -A data/fashion/make.ts SOURCE_DIR
 *
 * Calibration: the first 1,000 of the training split. Evaluation: the first 2,000 of the test split.
 */
import { gunzipSync, gzipSync } from "node:zlib";

const [source] = Deno.args;
const out = new URL("./", import.meta.url);

function cut(file: string, rank: number, count: number): Uint8Array {
  const all = gunzipSync(Deno.readFileSync(`${source}/${file}`));
  const header = 4 + 4 * rank;
  const itemBytes = (all.length - header) / new DataView(all.buffer, all.byteOffset).getUint32(4);
  const part = all.slice(0, header + itemBytes * count);
  new DataView(part.buffer, part.byteOffset).setUint32(4, count);
  return gzipSync(part, { level: 9 });
}

for (const [split, name, count] of [["train", "calibration", 1000], ["t10k", "evaluation", 2000]] as const) {
  Deno.writeFileSync(new URL(`${name}-images-idx3-ubyte.gz`, out), cut(`${split}-images-idx3-ubyte.gz`, 3, count));
  Deno.writeFileSync(new URL(`${name}-labels-idx1-ubyte.gz`, out), cut(`${split}-labels-idx1-ubyte.gz`, 1, count));
}
Deno.copyFileSync(`${source}/model.onnx`, new URL("model.onnx", out));
