import assert from "node:assert/strict";
import { runCli } from "../../../apps/cli/run.ts";
import { loadModel } from "../../../apps/cli/inputs.ts";
import { denoHost } from "../../../apps/hosts/deno.ts";
import { loadFloatModel } from "../../../pipeline/quantize/quantize.ts";
import { splitWeights } from "../../../onnx/file/external_data.ts";
import { readModel, writeModel } from "../../../onnx/file/model.ts";
import { DEMO_MODEL } from "../../support/demo.ts";
import { assertSameOutputs } from "../../support/run_model.ts";
import { floats, gaussian } from "../../support/random.ts";

/** Writes the demo model with its weights in a file of another folder below. */
async function writeDemo(folder: string, cut = 0) {
  const original = readModel(await Deno.readFile(DEMO_MODEL), DEMO_MODEL);
  const { model, data } = splitWeights(original, "weights/demo.data", 1);
  await Deno.mkdir(`${folder}/weights`);
  const file = new Uint8Array(data.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const chunk of data) {
    file.set(chunk, offset);
    offset += chunk.length;
  }
  await Deno.writeFile(`${folder}/weights/demo.data`, file.subarray(0, file.length - cut));
  await Deno.writeFile(`${folder}/m.onnx`, writeModel(model));
  return { original, path: `${folder}/m.onnx`, data: `${folder}/weights/demo.data` };
}

Deno.test("loadModel() reads weights from a file beside the model", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const { original, path, data } = await writeDemo(folder);
    const float = await loadModel(denoHost, path);
    const image = { data: floats(784, gaussian(3)), dims: [1, 1, 28, 28] };
    await assertSameOutputs(original, float.prepared, { image });
    await assertSameOutputs(original, float.original, { image });

    const bytes = await Deno.readFile(data);
    bytes[5] ^= 1;
    await Deno.writeFile(data, bytes);
    const changed = await loadModel(denoHost, path);
    assert.notEqual(changed.sha256, float.sha256, "the hash covers weights outside the file");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("loadModel() says which file of weights is missing or cut off", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const { path, data } = await writeDemo(folder, 100);
    await assert.rejects(
      loadModel(denoHost, path),
      /reading ".*weights\/demo\.data".*wanted \d+ bytes from byte \d+ on, found \d+\./,
    );
    await Deno.remove(data);
    await assert.rejects(loadModel(denoHost, path), /opening ".*demo\.data".*no such file/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("loadFloatModel() refuses external data when it has no way to read them", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const { path } = await writeDemo(folder);
    await assert.rejects(loadFloatModel(await Deno.readFile(path), path), /external data file/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("emit writes the weights of such a model beside the quantized one, and evaluate reads them", async () => {
  const folder = await Deno.makeTempDir();
  const run = async (...args: string[]) => {
    const printed: string[] = [];
    const host = { ...denoHost, print: (text: string) => void printed.push(text) };
    const code = await runCli([...args, "--quiet"], host, new AbortController().signal);
    assert.equal(code, 0, args.join(" "));
    return printed.join("");
  };
  try {
    const { path } = await writeDemo(folder);
    const data = denoHost.assetPath("data/fashion/calibration-images-idx3-ubyte.gz");
    await run(
      "quantize",
      "--model",
      path,
      "--data",
      data,
      "--samples",
      "16",
      "--out",
      `${folder}/q`,
    );
    const whole = await Deno.readFile(`${folder}/q/model.onnx`);
    const weights = await Deno.readFile(`${folder}/q/model.onnx.data`);
    assert.ok(weights.length > 50000);
    const emit = ["emit", "--model", path, "--manifest", `${folder}/q/manifest.json`];
    await run(...emit, "--out", `${folder}/q/model.onnx`);
    assert.deepEqual(await Deno.readFile(`${folder}/q/model.onnx`), whole);
    assert.deepEqual(await Deno.readFile(`${folder}/q/model.onnx.data`), weights);
    const report = JSON.parse(
      await run(
        "evaluate",
        path,
        `${folder}/q/model.onnx`,
        "--data",
        data,
        "--samples",
        "16",
        "--json",
      ),
    );
    assert.ok(report.models[1].sqnr > 20, JSON.stringify(report.models[1]));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
