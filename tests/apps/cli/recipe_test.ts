/** `--recipe`, run.json and the statistics that outlive a failure, on the command line. */
import assert from "node:assert/strict";
import { inFolder, runCommand } from "../../support/cli.ts";
import { CALIBRATION, DEMO_MODEL } from "../../support/demo.ts";

const SAME = ["model.onnx", "statistics.plim", "manifest.json", "codes.bin"];

Deno.test("a manifest repeats its run: same bytes, whatever the options were", () =>
  inFolder(async (folder) => {
    const data = ["--model", DEMO_MODEL, "--data", CALIBRATION];
    const first = await runCommand(
      ...["quantize", ...data, "--samples", "24", "--target", "onnxruntime", "--bits", "7"],
      ...["--weight-rounding", "gptq", "--equalize", "yes", "--exact", "--out", `${folder}/a`],
      ...["--override", '{"match": {"operator": "Gemm"}, "quantize": false}'],
    );
    assert.equal(first.code, 0, first.error);
    const again = await runCommand(
      ...["quantize", ...data, "--recipe", `${folder}/a/manifest.json`, "--out", `${folder}/b`],
    );
    assert.equal(again.code, 0, again.error);
    for (const name of SAME) {
      const [a, b] = ["a", "b"].map((run) => Deno.readFileSync(`${folder}/${run}/${name}`));
      assert.deepEqual(a, b, name);
    }
    const { recipe } = JSON.parse(Deno.readTextFileSync(`${folder}/a/manifest.json`));
    assert.deepEqual([recipe.bits, recipe.weightRounding, recipe.target.name], [
      7,
      "gptq",
      "onnxruntime",
    ]);
    assert.ok(recipe.preprocessing.mean > 0, "the demo's preprocessing");
    const run = JSON.parse(Deno.readTextFileSync(`${folder}/a/run.json`));
    assert.deepEqual(run.inputs, { model: DEMO_MODEL, data: CALIBRATION });
    assert.ok(run.seconds > 0 && run.command.includes("--exact") && run.machine.includes("Deno"));
    const report = Deno.readTextFileSync(`${folder}/a/report.html`);
    assert.match(report, /quantize --recipe manifest\.json --model .*fashion\/model\.onnx/);
    // Options beside it come first.
    const other = await runCommand(
      ...["quantize", ...data, "--recipe", `${folder}/a/manifest.json`, "--bits", "6"],
      ...["--weight-rounding", "nearest", "--out", `${folder}/c`],
    );
    assert.equal(other.code, 0, other.error);
    const manifest = JSON.parse(Deno.readTextFileSync(`${folder}/c/manifest.json`));
    assert.deepEqual([manifest.activations[0].bits, manifest.codes], [6, undefined]);
  }));

Deno.test("search refuses what statistics can't give, and a recipe file that isn't one", () =>
  inFolder(async (folder) => {
    const statistics = `${folder}/s.plim`;
    const made = await runCommand("calibrate", "--samples", "8", "--out", statistics);
    assert.equal(made.code, 0, made.error);
    const refused: [unknown, RegExp][] = [
      [{ weightRounding: "gptq" }, /wishes that need no samples, found one that takes a pass/],
      [{ equalize: true }, /statistics made with equalization, found statistics made without/],
      [{ target: "default", wish: 1 }, /Unrecognized key: "wish"/],
      [[1], /reading recipe/],
    ];
    for (const [recipe, message] of refused) {
      await Deno.writeTextFile(`${folder}/r.json`, JSON.stringify(recipe));
      const { code, error } = await runCommand(
        ...["search", "--statistics", statistics, "--recipe", `${folder}/r.json`],
        ...["--out", `${folder}/m.json`],
      );
      assert.equal(code, 2, error);
      assert.match(error, message);
    }
  }));

Deno.test("statistics are on disk when calibration ends: a failure later loses nothing", () =>
  inFolder(async (folder) => {
    const broken = `${folder}/broken-idx3-ubyte`;
    await Deno.writeFile(
      broken,
      Uint8Array.of(0, 0, 8, 3, 0, 0, 0, 9, 0, 0, 0, 28, 0, 0, 0, 28, 1),
    );
    const run = await runCommand(
      ...["quantize", "--samples", "8", "--eval-data", broken, "--out", `${folder}/out`],
    );
    assert.equal(run.code, 1);
    const { code, error } = await runCommand(
      ...["search", "--statistics", `${folder}/out/statistics.plim`, "--out", `${folder}/m.json`],
    );
    assert.equal(code, 0, error);
  }));
