/** Clamps where functions are flat: they change nothing that comes out, and stay away from what reads more. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { NodeProto, TensorProto } from "../../onnx/file/onnx_pb.ts";
import { makeTensor } from "../../onnx/file/tensor.ts";
import { clampFlat } from "../../onnx/rewrites/clamp_flat.ts";
import { model, node, value } from "../support/onnx.ts";
import { floats, gaussian } from "../support/random.ts";
import { scalar } from "../support/rewrite.ts";
import { assertSameFunction } from "../support/same_function.ts";

const normal = gaussian(8);
/** Weights that spread outputs far beyond all bounds. */
const spread = (name: string, ...dims: number[]) =>
  makeTensor(name, dims, floats(dims.reduce((a, b) => a * b, 1), normal).map((w) => 4 * w));
const constants = [
  spread("w", 6, 3, 1, 1),
  makeTensor("row", [6, 1, 1], Float32Array.of(-2, -1, 0, 1, 2, 3)),
  ...Object.entries({ half: 0.5, one: 1, three: 3, zero: 0, six: 6, root: Math.SQRT2, slope: 0.1 })
    .map(([name, x]) => scalar(name, x)),
];

/** A convolution of x to c, and what comes behind it. */
function behindConv(nodes: NodeProto[], outputs = ["y"], more: TensorProto[] = []) {
  return model({
    nodes: [node("Conv", ["x", "w"], ["c"]), ...nodes],
    inputs: [value("x", [2, 3, 8, 8])],
    outputs: outputs.map((name) => value(name, [2, 6, 8, 8])),
    initializers: [...constants, ...more],
  });
}

const hardSwish = (from: string) => [
  node("Add", [from, "three"], ["a"]),
  node("Clip", ["a", "zero", "six"], ["g"]),
  node("Mul", [from, "g"], ["m"]),
  node("Div", ["m", "six"], ["y"]),
];
/** Name → nodes, and the bounds that they allow. */
const CLAMPED: Record<string, [NodeProto[], number, number]> = {
  "HardSwish in parts": [hardSwish("c"), -3, Infinity],
  HardSwish: [[node("HardSwish", ["c"], ["y"])], -3, Infinity],
  HardSigmoid: [[node("HardSigmoid", ["c"], ["y"], { alpha: 0.25, beta: 0.5 })], -2, 2],
  "GELU in parts": [
    [
      node("Div", ["c", "root"], ["d"]),
      node("Erf", ["d"], ["e"]),
      node("Add", ["e", "one"], ["p"]),
      node("Mul", ["c", "p"], ["m"]),
      node("Mul", ["m", "half"], ["y"]),
    ],
    -5.25,
    Infinity,
  ],
  // Flat for all channels only below the least −3 − offset: offsets reach from −2 to 3.
  "HardSwish behind offsets of channels": [
    [node("Add", ["c", "row"], ["o"]), ...hardSwish("o")],
    -6,
    Infinity,
  ],
  "HardSwish behind a Reshape": [
    [node("Reshape", ["c", "shape"], ["o"]), node("HardSwish", ["o"], ["y"])],
    -3,
    Infinity,
  ],
};
const shape = makeTensor("shape", [4], BigInt64Array.of(2n, 6n, 8n, 8n));
for (const [name, [nodes, low, high]] of Object.entries(CLAMPED)) {
  Deno.test(`clampFlat() clamps a convolution in front of ${name}, and outputs stay`, async () => {
    const before = behindConv(nodes, ["y"], [shape]);
    const { clamped, model: after } = await assertSameFunction(before, clampFlat, {
      tolerance: 2e-6,
    });
    assert.equal(clamped.length, 1);
    assert.equal(clamped[0].tensor, "c");
    // Bounds are of a list of 16 to an octave: the next beyond what is needed at most.
    assert.ok(clamped[0].low <= low && clamped[0].low >= low * 17 / 16, `${clamped[0].low}`);
    assert.ok(
      clamped[0].high === high || clamped[0].high >= high && clamped[0].high <= high * 17 / 16,
    );
    assert.equal(after.graph.node.filter(({ name }) => name === "c/Clip").length, 1);
  });
}

const UNTOUCHED: Record<string, [NodeProto[], string[]?]> = {
  "where another operator reads it, too": [
    [...hardSwish("c"), node("GlobalAveragePool", ["c"], ["z"])],
    ["y", "z"],
  ],
  "where it is an output": [hardSwish("c"), ["y", "c"]],
  "in front of a clamp alone": [[node("Relu", ["c"], ["y"])]],
  "in front of a function that is flat nowhere": [[node("LeakyRelu", ["c"], ["y"], {
    alpha: 0.1,
  })]],
  "where a sum brings another tensor in": [
    [node("Conv", ["x", "w"], ["other"]), node("Add", ["c", "other"], ["s"]), ...hardSwish("s")],
  ],
};
for (const [name, [nodes, outputs]] of Object.entries(UNTOUCHED)) {
  Deno.test(`clampFlat() leaves a convolution alone ${name}`, () => {
    const before = behindConv(nodes, outputs);
    const { model: after, clamped } = clampFlat(before);
    assert.deepEqual(clamped, []);
    assert.equal(after, before);
  });
}

Deno.test("clampFlat() brackets the ends of any HardSigmoid closely", () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0.05, max: 4, noNaN: true }),
      fc.double({ min: 0.1, max: 0.9, noNaN: true }),
      (slope, offset) => {
        const [alpha, beta] = [Math.fround(slope), Math.fround(offset)];
        const nodes = [node("HardSigmoid", ["c"], ["y"], { alpha, beta })];
        const { clamped: [{ low, high }] } = clampFlat(behindConv(nodes));
        const [left, right] = [-beta / alpha, (1 - beta) / alpha];
        // Beyond the ends, within a step of the list of bounds; 1e-6 of tolerance either way.
        assert.ok(low <= left * (1 - 1e-4) || Math.abs(low - left) < 1e-4, `${low}, ${left}`);
        assert.ok(high >= right * (1 - 1e-4) || Math.abs(high - right) < 1e-4, `${high}, ${right}`);
        if (-left > 1 / 16) assert.ok(low >= left * 17 / 16 - 1e-4, `${low}, ${left}`);
        if (right > 1 / 16) assert.ok(high <= right * 17 / 16 + 1e-4, `${high}, ${right}`);
      },
    ),
    { seed: 17, numRuns: 200 },
  );
});
