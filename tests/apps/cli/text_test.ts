/** Text on the command line: ids by the tokenizer beside the model, the same statistics as of ids. */
import assert from "node:assert/strict";
import { writeModel } from "../../../onnx/file/model.ts";
import { readPlim } from "../../../pipeline/statistics/plim.ts";
import { inFolder, runCommand } from "../../support/cli.ts";
import { tokenModel } from "../../support/token_model.ts";
import { wordPieceFile } from "../../support/word_piece.ts";

/** Texts with the ids that WordPiece makes of them, by hand. */
const TEXTS: readonly [string, number[]][] = [
  ["The ship is loaded.", [2, 4, 5, 10, 6, 7, 18, 3]],
  ["a low tide", [2, 11, 15, 16, 3]],
  ["Lines, lines!", [2, 8, 9, 17, 8, 9, 1, 3]],
  ["high", [2, 14, 3]],
];
const asText = TEXTS.map(([text], i) => JSON.stringify({ text, label: i % 4 })).join("\n");
const asIds = TEXTS.map(([_, ids]) => {
  const row = (data: number[]) => ({ data, dims: [data.length], type: "int64" });
  return JSON.stringify({
    input: {
      input_ids: row(ids),
      attention_mask: row(ids.map(() => 1)),
      token_type_ids: row(ids.map(() => 0)),
    },
  });
}).join("\n");

/** A folder as Hugging Face has them: the model in `onnx/`, its tokenizer above. */
async function layOut(folder: string): Promise<string> {
  await Deno.mkdir(`${folder}/onnx`);
  const path = `${folder}/onnx/model.onnx`;
  await Deno.writeFile(path, writeModel(tokenModel()));
  await Deno.writeTextFile(`${folder}/tokenizer.json`, JSON.stringify(wordPieceFile()));
  await Deno.writeTextFile(`${folder}/text.ndjson`, asText);
  await Deno.writeTextFile(`${folder}/ids.ndjson`, asIds);
  return path;
}

async function calibrated(folder: string, model: string, data: string, ...more: string[]) {
  const out = `${folder}/${data}.plim`;
  const args = ["--model", model, "--data", `${folder}/${data}`, "--out", out, ...more];
  const run = await runCommand("calibrate", ...args);
  assert.equal(run.code, 0, run.error);
  return { run, statistics: await readPlim(await Deno.readFile(out), out) };
}

Deno.test("text gives the statistics of the ids that it stands for", () =>
  inFolder(async (folder) => {
    const model = await layOut(folder);
    const text = await calibrated(folder, model, "text.ndjson");
    const ids = await calibrated(folder, model, "ids.ndjson");
    assert.equal(text.statistics.data.sha256, ids.statistics.data.sha256);
    assert.deepEqual(text.statistics.tensors, ids.statistics.tensors);
    const workers = await calibrated(folder, model, "text.ndjson", "--workers", "2");
    assert.deepEqual(workers.statistics, text.statistics);
  }));

Deno.test("a model is quantized and evaluated on text with labels", () =>
  inFolder(async (folder) => {
    const model = await layOut(folder);
    const data = `${folder}/text.ndjson`;
    const args = ["--data", data, "--eval-data", data, "--out", `${folder}/out`, "--accept"];
    const run = await runCommand("quantize", "--model", model, ...args);
    assert.equal(run.code, 0, run.error);
    const { models } = JSON.parse(await Deno.readTextFile(`${folder}/out/evaluation.json`));
    assert.equal(models[0].samples, TEXTS.length);
    assert.notEqual(models[0].top1, null);
    const again = await runCommand("evaluate", model, `${folder}/out/model.onnx`, "--data", data);
    assert.equal(again.code, 0, again.error);
  }));

Deno.test("--tokenizer names another one, and texts beyond its length are cut off with a note", () =>
  inFolder(async (folder) => {
    const model = await layOut(folder);
    await Deno.mkdir(`${folder}/other`);
    const tokenizer = `${folder}/other/tokenizer.json`;
    await Deno.writeTextFile(tokenizer, JSON.stringify(wordPieceFile()));
    await Deno.writeTextFile(`${folder}/other/tokenizer_config.json`, '{"model_max_length": 6}');
    const { run, statistics } = await calibrated(
      folder,
      model,
      "text.ndjson",
      "--tokenizer",
      tokenizer,
    );
    assert.match(run.error, /note: .*text\.ndjson:1 has 8 tokens: what is behind 6 is cut off/);
    assert.equal(run.error.match(/cut off/g)?.length, 1);
    const q = statistics.tensors.find(({ tensor }) => tensor === "q")!;
    assert.equal(q.histogram.finite, (6 + 5 + 6 + 3) * 16);
  }));

Deno.test("without a tokenizer the message says where one is looked for", () =>
  inFolder(async (folder) => {
    const model = await layOut(folder);
    await Deno.remove(`${folder}/tokenizer.json`);
    const args = ["--model", model, "--data", `${folder}/text.ndjson`, "--out", `${folder}/s.plim`];
    const { code, error } = await runCommand("calibrate", ...args);
    assert.equal(code, 2, error);
    assert.match(error, /tokenizer\.json.*--tokenizer/s);
  }));
