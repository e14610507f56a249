/** `compare` as its user sees it. */
import assert from "node:assert/strict";
import { withoutRun } from "../../support/without_run.ts";
import { runCli } from "../../../apps/cli/run.ts";
import { denoHost } from "../../../apps/hosts/deno.ts";
import { inFolder, runCommand } from "../../support/cli.ts";
import { CALIBRATION, DEMO_MODEL, EVALUATION } from "../../support/demo.ts";

const few = ["--samples", "16", "--eval-samples", "60"];
const files = (folder: string): string[] =>
  Array.from(Deno.readDirSync(folder)).flatMap(({ name, isDirectory }) =>
    isDirectory ? files(`${folder}/${name}`).map((path) => `${name}/${path}`) : [name]
  ).sort();

Deno.test("compare without options is the tutorial on the demo, the same twice", () =>
  inFolder(async (folder) => {
    const { code, out, error } = await runCommand("compare", ...few, "--out", `${folder}/a`);
    assert.equal(code, 0, error);
    assert.deepEqual(files(`${folder}/a`), [
      "comparison.json",
      "mse/manifest.json",
      "mse/model.onnx",
      "mse/report.html",
      "noclipping/manifest.json",
      "noclipping/model.onnx",
      "noclipping/report.html",
      "run.json",
      "statistics.plim",
    ]);
    assert.match(error, /calibration pass 1 of 1, for mse, noclipping\n/);
    assert.match(error, /evaluate +60\/60 +100 %/);
    assert.match(
      out,
      /^model +top-1 +vs float \[95 %\] +top-5 +loss +SQNR +agreement +size +latency\n/,
    );
    for (const line of out.split("\n")) assert.ok([...line].length <= 100, line);
    const comparison = JSON.parse(Deno.readTextFileSync(`${folder}/a/comparison.json`));
    assert.deepEqual(
      comparison.variants.map((entry: { folder: string; statistics: string }) => [
        ...[entry.folder, entry.statistics],
      ]),
      [["mse", "statistics.plim"], ["noclipping", "statistics.plim"]],
    );
    for (const { folder: name, bytes, evaluation, againstFloat } of comparison.variants) {
      assert.equal(Deno.statSync(`${folder}/a/${name}/model.onnx`).size, bytes);
      assert.equal(againstFloat.total, 60);
      const hits = 60 * evaluation.top1 - 60 * comparison.float.evaluation.top1;
      assert.equal(Math.round(hits), againstFloat.gained - againstFloat.lost);
    }
    const again = await runCommand("compare", ...few, "--json", "--quiet", "--out", `${folder}/b`);
    assert.equal(again.error, "");
    const result = JSON.parse(again.out);
    assert.equal(result.latency.length, 3);
    assert.deepEqual(result.variants, comparison.variants);
    for (const file of files(`${folder}/a`).filter((name) => name !== "run.json")) {
      assert.deepEqual(
        withoutRun(`${folder}/b/${file}`),
        withoutRun(`${folder}/a/${file}`),
        file,
      );
    }
  }));

Deno.test("what a variant holds is what search and emit make of its statistics", () =>
  inFolder(async (folder) => {
    const lists = ["--error", "kl", "--constraint", "pot,uniform", "--weight-bits", "4"];
    const run = await runCommand("compare", ...few, ...lists, "--accept", "--out", folder);
    assert.equal(run.code, 0, run.error);
    assert.match(run.error, /calibration pass 2 of 2, for uniform/);
    const manifest = `${folder}/m.json`;
    // Statistics don't know what the images were before; a recipe does.
    const preprocessing = JSON.parse(await Deno.readTextFile("data/fashion/preprocess.json"));
    await Deno.writeTextFile(`${folder}/r.json`, JSON.stringify({ preprocessing }));
    const searched = await runCommand(
      ...["search", "--statistics", `${folder}/statistics-2.plim`, "--model", DEMO_MODEL],
      ...["--recipe", `${folder}/r.json`],
      ...["--error", "kl", "--constraint", "uniform", "--weight-bits", "4", "--out", manifest],
    );
    assert.equal(searched.code, 0, searched.error);
    assert.equal(
      Deno.readTextFileSync(manifest),
      Deno.readTextFileSync(`${folder}/uniform/manifest.json`),
    );
    await runCommand("emit", "--manifest", manifest, "--out", `${folder}/m.onnx`);
    assert.deepEqual(
      Deno.readFileSync(`${folder}/m.onnx`),
      Deno.readFileSync(`${folder}/uniform/model.onnx`),
    );
  }));

Deno.test("compare without labels, or without evaluation data, says what it can", () =>
  inFolder(async (folder) => {
    const values = Float32Array.from({ length: 3 * 28 * 28 }, (_, i) => Math.sin(i / 9));
    await Deno.writeFile(`${folder}/a.f32`, new Uint8Array(values.buffer));
    const args = ["--model", DEMO_MODEL, "--data", `${folder}/a.f32`, "--input-shape", "1x28x28"];
    const run = await runCommand("compare", ...args, "--error", "mse", "--out", `${folder}/out`);
    assert.equal(run.code, 0, run.error);
    assert.match(run.out, /^model +SQNR +cosine +agreement +size +latency\nfloat .*\nmse /);
    assert.match(run.error, /no --eval-data: compared on the calibration samples/);
  }));

Deno.test("combinations that a target doesn't allow are left out by name, unless none remains", () =>
  inFolder(async (folder) => {
    const args = ["--target", "default,imx500", "--weight-bits", "5", "--error", "noclipping"];
    const run = await runCommand("compare", ...few, ...args, "--out", folder);
    assert.equal(run.code, 0, run.error);
    assert.match(run.error, /left out imx500: .*wanted weight\.bits to be one of 2, 4, 8, found 5/);
    const { leftOut, variants } = JSON.parse(Deno.readTextFileSync(`${folder}/comparison.json`));
    assert.deepEqual([leftOut.length, variants.length], [1, 1]);
    const none = await runCommand("compare", "--target", "imx500", "--weight-bits", "5,6");
    assert.equal(none.code, 1);
    assert.match(none.error, /wanted weight\.bits/);
  }));

for (
  const [args, message] of [
    [["--error", "mse,magic"], /Allowed choices are mse, noclipping/],
    [["--bits", "8,17"], /Give 2 to 16/],
    [["--bits", "8,,4"], /values with commas/],
    [["--equalize", "maybe"], /Allowed choices are yes, no/],
    [["--target", "default,nowhere"], /found "nowhere"/],
    [
      ["--bits", "2,3,4,5,6,7,8,9,10", "--weight-bits", "2,3,4,5,6,7,8,2", "--equalize", "yes,no"],
      /9 × 7 × 2 = 126/,
    ],
    [["--model", DEMO_MODEL], /no --data/],
    [["--data", "-"], /Name them with --eval-data/],
  ] as [string[], RegExp][]
) {
  Deno.test(`compare ${args.join(" ")} is bad usage`, async () => {
    const { code, error } = await runCommand("compare", ...args);
    assert.equal(code, 2, error);
    assert.match(error, message);
  });
}

Deno.test("compare refuses two passes over a pipe before it reads it", async () => {
  for (
    const [args, found] of [
      [
        ["--constraint", "pot,uniform"],
        /read more than once, found standard input, and 2 calibration passes/,
      ],
      [
        ["--equalize", "no,yes"],
        /found standard input, and equalize, which takes a pass of ranges/,
      ],
      [
        ["--weight-rounding", "nearest,gptq"],
        /found standard input, and gptq, which takes a pass of moments/,
      ],
    ] as const
  ) {
    const run = await runCommand(
      ...["compare", "--data", "-", "--eval-data", CALIBRATION, ...args],
    );
    assert.equal(run.code, 2, run.error);
    assert.match(run.error, found);
  }
});

Deno.test("compare --help shows lists and examples", async () => {
  const { code, out } = await runCommand("compare", "--help");
  assert.equal(code, 0);
  assert.match(out, /--error <method,…>/);
  assert.match(out, /Examples:\n {2}deno task compare/);
});

Deno.test("an interrupted compare ends with 130 and keeps the statistics that it had", () =>
  inFolder(async (folder) => {
    const controller = new AbortController();
    const host = {
      ...denoHost,
      isTerminal: false,
      print: () => {},
      // In the middle of the evaluation.
      printError: (text: string) => text.startsWith("made noclipping") && controller.abort(),
    };
    const args = ["compare", "--samples", "8", "--eval-data", EVALUATION, "--out", `${folder}/out`];
    assert.equal(await runCli(args, host, controller.signal), 130);
    assert.deepEqual(files(folder), ["out/statistics.plim"]);
  }));
