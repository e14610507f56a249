/** Every form of the library is written as a model, seen as one unit, and computes what its name says. */
import assert from "node:assert/strict";
import { outlineGraph } from "../../../onnx/graph/outline.ts";
import { COMPOSITES, PARTS } from "../../../tpc/placement/composite_library.ts";
import { GraphView } from "../../../tpc/placement/graph_view.ts";
import { unitsOf } from "../../../tpc/placement/units.ts";
import { parseExpression } from "../../../tpc/targets/expression.ts";
import { presetTarget } from "../../../tpc/targets/read_target.ts";
import { floats, gaussian } from "../../support/random.ts";
import { runModel } from "../../support/run_model.ts";
import { allWritten, DIMS } from "../../support/write_expression.ts";

const forms = COMPOSITES.filter(({ behind }) => behind === undefined);
const target = {
  ...presetTarget("default")!,
  operatorSets: [{
    name: "all",
    use: "quantized" as const,
    operators: forms.map(({ name }) => name),
  }],
  fusing: [],
};

/** Φ of the normal distribution, by Simpson's rule: an independent way to it. */
function phi(x: number): number {
  const steps = 400;
  let sum = 0;
  for (let i = 0; i <= steps; i++) {
    const weight = i === 0 || i === steps ? 1 : i % 2 === 0 ? 2 : 4;
    sum += weight * Math.exp(-((x * i / steps) ** 2) / 2);
  }
  return 0.5 + sum * x / steps / 3 / Math.sqrt(2 * Math.PI);
}
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const relu6 = (x: number) => Math.min(6, Math.max(0, x));
const softplus = (x: number) => Math.log(1 + Math.exp(x));

/** What each computes of a row: the elements of one channel, or those of a group of channels. */
const MEANINGS: Record<string, (row: number[]) => number[]> = {
  Gelu: (row) => row.map((x) => x * phi(x)),
  Silu: (row) => row.map((x) => x * sigmoid(x)),
  HardSwish: (row) => row.map((x) => x * relu6(x + 3)),
  HardSigmoid: (row) => row.map((x) => relu6(x + 3) / 6),
  LeakyRelu: (row) => row.map((x) => Math.max(x, 0.1 * x)),
  Softplus: (row) => row.map(softplus),
  Mish: (row) => row.map((x) => x * Math.tanh(softplus(x))),
  LayerNormalization: normalized,
  RMSNormalization: (row) => {
    const size = Math.sqrt(row.reduce((sum, x) => sum + x * x, 0) / row.length);
    return row.map((x) => x / size);
  },
  GroupNormalization: normalized,
};
/** What a gain multiplies by, where that isn't 1. */
const GAINS: Record<string, number> = { LeakyRelu: 0.1, HardSigmoid: 1 / 6 };

function normalized(row: number[]): number[] {
  const mean = row.reduce((sum, x) => sum + x, 0) / row.length;
  const variance = row.reduce((sum, x) => sum + (x - mean) ** 2, 0) / row.length;
  return row.map((x) => (x - mean) / Math.sqrt(variance));
}

const normal = gaussian(17);
const x = { data: floats(DIMS.reduce((a, b) => a * b, 1), normal).map((v) => 2.5 * v), dims: DIMS };

for (const { name, forms: texts } of forms) {
  const rowSize = name === "GroupNormalization" ? 12 : 6;
  const wanted: number[] = [];
  for (let start = 0; start < x.data.length; start += rowSize) {
    wanted.push(...MEANINGS[name]([...x.data.slice(start, start + rowSize)]));
  }
  for (const text of texts) {
    Deno.test(`${name}: ${text} is one unit, in all its ways, and computes that`, async () => {
      for (const [choices, model] of allWritten(parseExpression(text, PARTS), GAINS[name] ?? 1)) {
        const way = JSON.stringify(choices);
        const units = unitsOf(new GraphView(outlineGraph(model.graph)), target);
        assert.deepEqual(units.map(({ op }) => op), [name], way);
        assert.deepEqual(units[0].inputs, ["x"]);
        assert.equal(units[0].nodes.length, model.graph.node.length, way);
        const { data } = (await runModel(model, { x })).get("y")!;
        // A factor that the layer behind has taken: 2 of GELU, 6 of HardSwish.
        const dot = wanted.reduce((sum, y, i) => sum + y * data[i], 0);
        const factor = dot / wanted.reduce((sum, y) => sum + y * y, 0);
        const known = [1, 2, 1 / 6].find((known) => Math.abs(factor / known - 1) < 0.03);
        assert.ok(known !== undefined, `${way}: ${factor} times what it should be`);
        // Approximations of GELU differ most.
        const tolerance = text.includes("1.702") ? 0.03 : 0.003;
        wanted.forEach((y, i) =>
          assert.ok(Math.abs(data[i] / known - y) <= tolerance, `${way}: ${data[i]} for ${y}`)
        );
      }
    });
  }
}

Deno.test("every part of the library stands in a form", () => {
  const used = new Set<string>();
  for (const { forms } of COMPOSITES) {
    for (const text of forms) {
      for (const [choices] of allWritten(parseExpression(text, PARTS), 1)) {
        for (const part of Object.keys(choices)) used.add(part);
      }
    }
  }
  const several = Object.keys(PARTS).filter((part) => PARTS[part].length > 1);
  assert.deepEqual(several.filter((part) => !used.has(part)), []);
});
