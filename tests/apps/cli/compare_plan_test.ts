/** `compare --plan` as its user sees it: a front whose points are models. */
import assert from "node:assert/strict";
import { inFolder, runCommand } from "../../support/cli.ts";
import { CALIBRATION, DEMO_MODEL } from "../../support/demo.ts";

const few = ["--samples", "16", "--eval-samples", "40"];
const read = (path: string) => JSON.parse(Deno.readTextFileSync(path));

/** A row of comparison.json. */
interface Point {
  folder: string;
  bytes: number;
  plan: {
    predicted: { loss: number; latency: number | null; size: number; bits: number };
    measured: { loss: number; latency: null; size: number };
  };
}

/** Fails unless points rise along the front, lose less and less, and are what was expected of them. */
function checkFront(points: readonly Point[], across: "latency" | "bits"): void {
  for (const [i, { plan: { predicted, measured } }] of points.entries()) {
    const off = 10 * Math.abs(Math.log10(measured.loss / predicted.loss));
    assert.ok(off < 3, `point ${i + 1} is ${off} dB off`);
    if (i === 0) continue;
    const before = points[i - 1].plan;
    assert.ok(predicted[across]! > before.predicted[across]!, `${across} of point ${i + 1}`);
    assert.ok(predicted.loss < before.predicted.loss, `expected loss of point ${i + 1}`);
    assert.ok(measured.loss < before.measured.loss, `loss of point ${i + 1}`);
  }
}

Deno.test("a front by given costs: every point a model as expected, the same bytes again", () =>
  inFolder(async (folder) => {
    const web = ["--target", "onnxruntime-web"];
    const profiled = await runCommand(
      ...["profile", "--model", DEMO_MODEL, "--data", CALIBRATION, "--samples", "4", ...web],
      ...["--runs", "2", "--out", `${folder}/costs.json`],
    );
    assert.equal(profiled.code, 0, profiled.error);
    const costs = read(`${folder}/costs.json`);
    // Integers are fast everywhere, and not to the same extent: what is gained and lost goes apart.
    const units = costs.units.map((unit: { node: string }, i: number) => (
      { ...unit, float: 1000 * (1 + i % 5), integer: 500 }
    ));
    const float = units.reduce((sum: number, unit: { float: number }) => sum + unit.float, 0);
    const madeUp = { ...costs, units, float, quantize: 0.01, dequantize: 0.01 };
    Deno.writeTextFileSync(`${folder}/made-up.json`, JSON.stringify(madeUp));
    const wish = ["compare", ...few, ...web, "--plan", "--plan-points", "4"];
    const given = ["--costs", `${folder}/made-up.json`];
    const { code, out, error } = await runCommand(...wish, ...given, "--out", `${folder}/a`);
    assert.equal(code, 0, error);
    assert.match(
      out,
      /\nmodel +loss +expected +of float's time +expected +MB +expected\nintegers /,
    );
    assert.match(out, /The front of loss against time/);
    assert.match(error, /calibration pass 1 of 1, for the front\n/);
    for (const line of out.split("\n")) {
      assert.ok([...line].length <= 100 || line.startsWith("The front"), line);
    }
    const comparison = read(`${folder}/a/comparison.json`);
    const [integers, ...points] = comparison.variants;
    assert.equal(integers.folder, "integers");
    assert.ok(points.length >= 3 && points.length <= 4, `${points.length} points`);
    checkFront([integers, ...points], "latency");
    assert.deepEqual(read(`${folder}/a/costs.json`), madeUp);
    assert.ok(read(`${folder}/a/sensitivity.json`).weights.length > 10);
    for (const { folder: name, bytes } of points as Point[]) {
      assert.equal(Deno.statSync(`${folder}/a/${name}/model.onnx`).size, bytes);
      const plan = read(`${folder}/a/${name}/plan.json`);
      assert.equal(plan.rounds.length, comparison.variants.length);
      assert.equal(plan.rounds[plan.chosen].name.replace(" ", "-"), name);
      const report = Deno.readTextFileSync(`${folder}/a/${name}/report.html`);
      assert.match(report, /"report":"\.\.\/plan-2\/report\.html"/);
    }
    const known = ["--sensitivity", `${folder}/a/sensitivity.json`];
    const again = await runCommand(
      ...[...wish, ...given, ...known, "--json", "--out", `${folder}/b`],
    );
    assert.equal(again.code, 0, again.error);
    const { latency } = JSON.parse(again.out);
    assert.ok(latency.every(({ ratio }: { ratio: number }) => ratio > 0));
    const names = ["integers", ...points.map((point: Point) => point.folder)].flatMap((name) =>
      ["model.onnx", "manifest.json", "plan.json"].map((file) => `${name}/${file}`)
    );
    for (const name of ["comparison.json", "sensitivity.json", "statistics.plim", ...names]) {
      const [a, b] = ["a", "b"].map((run) => Deno.readFileSync(`${folder}/${run}/${name}`));
      assert.deepEqual(a, b, name);
    }
    // A point is a recipe, too.
    const repeated = await runCommand(
      ...["quantize", "--recipe", `${folder}/a/plan-1/manifest.json`, "--samples", "16"],
      ...["--model", DEMO_MODEL, "--data", CALIBRATION, "--out", `${folder}/c`],
    );
    assert.equal(repeated.code, 0, repeated.error);
    assert.deepEqual(
      Deno.readFileSync(`${folder}/c/model.onnx`),
      Deno.readFileSync(`${folder}/a/plan-1/model.onnx`),
    );
  }));

Deno.test("where no times are known the front is one of loss against bits", () =>
  inFolder(async (folder) => {
    const wish = ["--target", "imx500", "--plan-points", "3", "--accept", "--out", folder];
    const { code, out, error } = await runCommand("compare", ...few, ...wish);
    assert.equal(code, 0, error);
    assert.match(out, /The front of loss against bits/);
    const [integers, ...points] = read(`${folder}/comparison.json`).variants;
    assert.ok(points.length >= 2);
    checkFront([...points, integers], "bits");
    assert.ok(!Array.from(Deno.readDirSync(folder)).some(({ name }) => name === "costs.json"));
    // Weights of two kinds of bits.
    const bits = new Set(
      read(`${folder}/plan-2/manifest.json`).weights.map(({ bits }: { bits: number }) => bits),
    );
    assert.ok(bits.size > 1, [...bits].join());
  }));

for (
  const [args, message] of [
    [["--plan", "--bits", "8,4"], /one value for each option with --plan, found --bits 8,4/],
    [["--plan-points", "1"], /Give 2 to 63/],
    [["--plan", "--target", "qnnpack"], /something to choose/],
    [["--plan", "--costs", "deno.json"], /profile/],
  ] as [string[], RegExp][]
) {
  Deno.test(`compare ${args.join(" ")} is refused`, () =>
    inFolder(async (folder) => {
      const { code, error } = await runCommand("compare", ...few, ...args, "--out", folder);
      assert.notEqual(code, 0);
      assert.match(error, message);
    }));
}
