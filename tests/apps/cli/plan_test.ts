/** `quantize --plan`, `profile` and `plan` on the command line. */
import assert from "node:assert/strict";
import { inFolder, runCommand } from "../../support/cli.ts";
import { CALIBRATION, DEMO_MODEL } from "../../support/demo.ts";

const data = ["--model", DEMO_MODEL, "--data", CALIBRATION, "--samples", "24"];
const read = (path: string) => JSON.parse(Deno.readTextFileSync(path));
const bytes = (path: string) => Deno.readFileSync(path);

Deno.test("a plan by given costs keeps to them, is written with all it follows from, and can be repeated", () =>
  inFolder(async (folder) => {
    const web = ["--target", "onnxruntime-web"];
    const profiled = await runCommand(
      ...["profile", ...data, ...web, "--runs", "3", "--out", `${folder}/costs.json`],
    );
    assert.equal(profiled.code, 0, profiled.error);
    const costs = read(`${folder}/costs.json`);
    assert.ok(costs.float > 0 && costs.units.length > 20);
    assert.ok(
      costs.units.every(({ float, integer }: { float: number; integer: number }) =>
        float >= 0 && integer >= 0
      ),
    );
    // Convolutions of one kind fast on integers, all else slow.
    const units = costs.units.map((unit: { node: string }, i: number) =>
      i % 3 === 0 ? { ...unit, float: 1e9, integer: 1 } : { ...unit, float: 1, integer: 1e9 }
    );
    const float = units.reduce((sum: number, unit: { float: number }) => sum + unit.float, 0);
    Deno.writeTextFileSync(
      `${folder}/made-up.json`,
      JSON.stringify({ ...costs, units, float, quantize: 0, dequantize: 0 }),
    );
    const made = await runCommand(
      ...["quantize", ...data, ...web, "--plan", "--costs", `${folder}/made-up.json`],
      ...["--max-loss", "60dB", "--out", `${folder}/a`],
    );
    assert.equal(made.code, 0, made.error);
    assert.match(made.out, /plan 1/);
    const plan = read(`${folder}/a/plan.json`);
    const [round] = plan.rounds.filter(({ name }: { name: string }) => name === "plan 1");
    assert.ok(round.predicted.latency < 1e-3, "by these costs");
    const sensitivity = read(`${folder}/a/sensitivity.json`);
    assert.ok(sensitivity.activations.length > 10 && sensitivity.weights.length > 10);
    assert.match(Deno.readTextFileSync(`${folder}/a/report.html`), /"goal":"the fastest model/);
    const manifest = read(`${folder}/a/manifest.json`);
    const again = await runCommand(
      ...["quantize", ...data, "--recipe", `${folder}/a/manifest.json`, "--out", `${folder}/b`],
    );
    assert.equal(again.code, 0, again.error);
    for (const name of ["model.onnx", "manifest.json", "statistics.plim"]) {
      assert.deepEqual(bytes(`${folder}/a/${name}`), bytes(`${folder}/b/${name}`), name);
    }
    // From what was measured alone: a recipe, its manifest, its model.
    const planned = await runCommand(
      ...["plan", ...web, "--statistics", `${folder}/a/statistics.plim`],
      ...["--sensitivity", `${folder}/a/sensitivity.json`, "--costs", `${folder}/made-up.json`],
      ...["--max-loss", "60dB", "--out", `${folder}/recipe.json`],
    );
    assert.equal(planned.code, 0, planned.error);
    const searched = await runCommand(
      ...["search", "--statistics", `${folder}/a/statistics.plim`, "--model", DEMO_MODEL],
      ...["--recipe", `${folder}/recipe.json`, "--out", `${folder}/planned.json`],
    );
    assert.equal(searched.code, 0, searched.error);
    const integers = ({ weights }: { weights: { node: string; compute?: string }[] }) =>
      weights.filter(({ compute }) => compute === undefined).map(({ node }) => node);
    const own = integers(read(`${folder}/planned.json`));
    const fast = new Set(
      units.filter((_: unknown, i: number) => i % 3 === 0)
        .map(({ node }: { node: string }) => node),
    );
    assert.ok(own.length > 0 && own.every((node) => fast.has(node)), own.join());
    assert.ok(manifest.recipe.overrides.length > 0);
  }));

Deno.test("a budget of bits is kept, and measurements are taken again", () =>
  inFolder(async (folder) => {
    const wish = [...data, "--target", "imx500", "--bits-budget", "5"];
    const first = await runCommand("quantize", ...wish, "--accept", "--out", `${folder}/a`);
    assert.equal(first.code, 0, first.error);
    const plan = read(`${folder}/a/plan.json`);
    const layers = plan.units.filter(({ weightBits }: { weightBits: number | null }) =>
      weightBits !== null
    );
    // Codes of all layers take a byte each in the file, whatever their bits.
    const sum = (of: (layer: { size: number; weightBits: number }) => number) =>
      layers.reduce(
        (total: number, layer: { size: number; weightBits: number }) => total + of(layer),
        0,
      );
    const average = sum(({ size, weightBits }) => size * weightBits) / sum(({ size }) => size);
    assert.ok(average <= 5 + 1e-9, `${average} bits`);
    assert.ok(new Set(layers.map(({ weightBits }: { weightBits: number }) => weightBits)).size > 1);
    const second = await runCommand(
      ...["quantize", ...wish, "--accept", "--sensitivity", `${folder}/a/sensitivity.json`],
      ...["--out", `${folder}/b`],
    );
    assert.equal(second.code, 0, second.error);
    assert.deepEqual(bytes(`${folder}/b/plan.json`), bytes(`${folder}/a/plan.json`));
    assert.deepEqual(bytes(`${folder}/b/model.onnx`), bytes(`${folder}/a/model.onnx`));
    // Time that is up leaves estimates, which say so.
    const late = await runCommand(
      ...["quantize", ...wish, "--accept", "--plan-seconds", "1e-6", "--out", `${folder}/c`],
    );
    assert.equal(late.code, 0, late.error);
    const estimated = read(`${folder}/c/sensitivity.json`).weights.filter(
      ({ isEstimated }: { isEstimated?: boolean }) => isEstimated,
    );
    assert.ok(estimated.length > 0);
  }));

for (
  const [what, args, message] of [
    [
      "a latency where nobody knows times",
      ["--target", "imx500", "--max-latency", "0.5"],
      /--costs/,
    ],
    ["a loss without a unit", ["--max-loss", "3"], /dB/],
    ["a size that is none", ["--max-size", "big"], /1\.2MB/],
    ["a budget that nothing keeps", ["--target", "imx500", "--bits-budget", "1"], /no choice/],
    ["costs that are none", ["--costs", "deno.json"], /profile/],
  ] as const
) {
  Deno.test(`a plan with ${what} is refused`, () =>
    inFolder(async (folder) => {
      const { code, error } = await runCommand(
        ...["quantize", ...data, "--out", folder, "--plan-seconds", "0.01", ...args],
      );
      assert.notEqual(code, 0);
      assert.match(error, message);
    }));
}
