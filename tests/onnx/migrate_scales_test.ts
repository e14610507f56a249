/** Scales that move from an activation into the layers behind it: the model computes what it did. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { NodeProto, TensorProto } from "../../onnx/file/onnx_pb.ts";
import { type Model, withFields } from "../../onnx/file/model.ts";
import { migrateScales } from "../../onnx/rewrites/migrate_scales.ts";
import { model, node, value } from "../support/onnx.ts";
import { makeTensor } from "../../onnx/file/tensor.ts";
import { floats, gaussian } from "../support/random.ts";
import { integers, scalar, weights } from "../support/rewrite.ts";
import { runModel } from "../support/run_model.ts";
import { assertSameFunction } from "../support/same_function.ts";

const normal = gaussian(21);
const CHANNELS = 8;
const factors = Float64Array.from({ length: CHANNELS }, (_, i) => Math.fround(2 ** (i - 3) * 1.1));
const migrate = (tensor: string, by = factors) => (before: Parameters<typeof migrateScales>[0]) =>
  migrateScales(before, new Map([[tensor, by]]));

function network(nodes: NodeProto[], initializers: TensorProto[] = [], outputs = ["y"]) {
  return model({
    nodes,
    inputs: [value("x", [3, 5, CHANNELS])],
    outputs: outputs.map((name) => value(name, ["a", "b", "c"])),
    initializers: [
      weights("w", CHANNELS, CHANNELS),
      weights("v", CHANNELS, 6),
      weights("gain", CHANNELS),
      weights("offset", CHANNELS),
      ...Object.entries({ one: 1, two: 2, half: 0.5, epsilon: 1e-5, root: Math.SQRT2 })
        .map(([name, x]) => scalar(name, x)),
      integers("last", [-1]),
      integers("heads", [0, 0, 2, CHANNELS / 2]),
      integers("merged", [0, 0, CHANNELS]),
      integers("three", [0, 0, 3, 2, CHANNELS / 2]),
      makeTensor("pick1", [], BigInt64Array.of(0n)),
      makeTensor("pick2", [], BigInt64Array.of(-1n)),
      weights("packed", CHANNELS, 3 * CHANNELS),
      weights("offsets", 3 * CHANNELS),
      ...initializers,
    ],
  });
}

/** Elements of tensor t of a model. */
async function tensorOf(of: Model, x: { data: Float32Array; dims: number[] }) {
  const output = [...of.graph.output, value("t", ["a", "b", "c"])];
  const exposed = withFields<Model>(of, { graph: withFields(of.graph, { output }) });
  return (await runModel(exposed, { x })).get("t")!.data;
}

const layer = node("MatMul", ["t", "v"], ["y"]);
const NORM = [
  node("ReduceMean", ["x"], ["mean"], { axes: [-1] }),
  node("Sub", ["x", "mean"], ["d"]),
  node("Pow", ["d", "two"], ["q"]),
  node("ReduceMean", ["q"], ["var"], { axes: [-1] }),
  node("Add", ["var", "epsilon"], ["ve"]),
  node("Sqrt", ["ve"], ["s"]),
  node("Div", ["d", "s"], ["n"]),
];
/** Attention with two heads whose values `v4` has, behind which t is. */
const behindValues = (values: string) => [
  node("MatMul", ["x", "w"], ["q"]),
  node("Reshape", ["q", "heads"], ["q4"]),
  node("Transpose", ["q4"], ["qt"], { perm: [0, 2, 1, 3] }),
  node("Transpose", ["q4"], ["kt"], { perm: [0, 2, 3, 1] }),
  node("MatMul", ["qt", "kt"], ["products"]),
  node("Softmax", ["products"], ["attention"]),
  node("MatMul", ["attention", values], ["o"]),
  node("Transpose", ["o"], ["ot"], { perm: [0, 2, 1, 3] }),
  node("Reshape", ["ot", "merged"], ["t"]),
];
const ABSORBED: Record<string, NodeProto[]> = {
  "LayerNormalization": [node("LayerNormalization", ["x", "gain", "offset"], ["t"])],
  "LayerNormalization without offset": [node("LayerNormalization", ["x", "gain"], ["t"])],
  "a written-out norm with Mul and Add": [
    ...NORM,
    node("Mul", ["n", "gain"], ["g"]),
    node("Add", ["offset", "g"], ["t"]),
  ],
  "a written-out norm with Mul": [...NORM, node("Mul", ["gain", "n"], ["t"])],
  "a division by a constant": [node("Div", ["x", "gain"], ["t"])],
  "Linear and ReLU": [
    node("MatMul", ["x", "w"], ["h"]),
    node("Add", ["h", "offset"], ["b"]),
    node("Relu", ["b"], ["t"]),
  ],
  "a linear layer of an attention's values": [
    node("MatMul", ["x", "w"], ["h"]),
    node("Add", ["h", "offset"], ["b"]),
    node("Reshape", ["b", "heads"], ["v3"]),
    node("Transpose", ["v3"], ["v4"], { perm: [0, 2, 1, 3] }),
    ...behindValues("v4"),
  ],
  "a layer of queries, keys and values in one, picked by Gather": [
    node("MatMul", ["x", "packed"], ["h"]),
    node("Add", ["h", "offsets"], ["b"]),
    node("Reshape", ["b", "three"], ["v5"]),
    node("Transpose", ["v5"], ["vt"], { perm: [2, 0, 3, 1, 4] }),
    node("Gather", ["vt", "pick1"], ["k4"], { axis: 0 }),
    node("Gather", ["vt", "pick2"], ["v4"], { axis: 0 }),
    node("Add", ["k4", "k4"], ["k5"]),
    ...behindValues("v4"),
  ],
  "a layer of queries, keys and values in one, picked by Split": [
    node("MatMul", ["x", "packed"], ["h"]),
    node("Add", ["h", "offsets"], ["b"]),
    node("Split", ["b"], ["s0", "s1", "s2"], { axis: -1 }),
    node("Reshape", ["s1", "heads"], ["v3"]),
    node("Transpose", ["v3"], ["v4"], { perm: [0, 2, 1, 3] }),
    ...behindValues("v4"),
  ],
};
for (const [name, nodes] of Object.entries(ABSORBED)) {
  Deno.test(`migrateScales() has ${name} take the division, and the model computes what it did`, async () => {
    const before = network([...nodes, layer]);
    const { model: after, migrated } = await assertSameFunction(before, migrate("t"));
    assert.deepEqual(migrated.map(({ tensor, isAbsorbed }) => [tensor, isAbsorbed]), [["t", true]]);
    assert.equal(after.graph.node.length, before.graph.node.length, "no node is added");
    // The tensor itself is divided: the rewrite did something.
    const x = { data: floats(15 * CHANNELS, normal), dims: [3, 5, CHANNELS] };
    const [old, now] = [await tensorOf(before, x), await tensorOf(after, x)];
    old.forEach((t, i) => {
      const wanted = t / factors[i % CHANNELS];
      assert.ok(Math.abs(now[i] - wanted) <= 1e-5 * (1 + Math.abs(wanted)));
    });
  });
}

/** What makes t, and what else reads it, where a Mul must divide. */
const MULTIPLIED: Record<string, [NodeProto[], NodeProto[], string[]?]> = {
  "all is read that an attention's values are picked from": [
    ABSORBED["a layer of queries, keys and values in one, picked by Gather"],
    [layer, node("ReduceMax", ["vt"], ["z"], { axes: [0, 1], keepdims: 0 })],
    ["y", "z"],
  ],
  "another operator reads the tensor": [
    ABSORBED.LayerNormalization,
    [layer, node("Neg", ["t"], ["z"])],
    ["y", "z"],
  ],
  "the tensor is an output": [ABSORBED.LayerNormalization, [layer], ["y", "t"]],
  "GELU makes it": [[
    node("Div", ["x", "root"], ["e0"]),
    node("Erf", ["e0"], ["e1"]),
    node("Add", ["e1", "one"], ["e2"]),
    node("Mul", ["x", "e2"], ["e3"]),
    node("Mul", ["e3", "half"], ["t"]),
  ], [layer]],
};
for (const [name, [nodes, behind, outputs]] of Object.entries(MULTIPLIED)) {
  Deno.test(`migrateScales() puts a Mul in where ${name}, and the model computes what it did`, async () => {
    const before = network([...nodes, ...behind], [], outputs);
    const { model: after, migrated } = await assertSameFunction(before, migrate("t"));
    assert.deepEqual(migrated.map(({ isAbsorbed }) => isAbsorbed), [false]);
    assert.equal(after.graph.node.length, before.graph.node.length + 1);
    // Twice, as one pass behind another does it: names of the first are not given again.
    const { model: twice } = await assertSameFunction(after, migrate("t"));
    const names = twice.graph.node.map(({ name }) => name);
    assert.equal(new Set(names).size, names.length);
  });
}

Deno.test("migrateScales() divides once for all layers that read a tensor", async () => {
  const before = network(
    [
      ...ABSORBED.LayerNormalization,
      layer,
      node("Gemm", ["flat", "v"], ["z"]),
      node("Reshape", ["t", "rows"], ["flat"]),
      node("MatMul", ["t", "w"], ["u"]),
    ],
    [integers("rows", [15, CHANNELS])],
    ["y", "u"],
  );
  const direct = network(
    [
      ...ABSORBED.LayerNormalization,
      layer,
      node("MatMul", ["t", "w"], ["u"]),
    ],
    [],
    ["y", "u"],
  );
  const { migrated } = await assertSameFunction(direct, migrate("t"));
  assert.equal(migrated[0].isAbsorbed, true);
  // A Reshape in between is another reader: the two layers beside it read a Mul.
  const beside = await assertSameFunction(before, migrate("t"));
  assert.equal(beside.migrated[0].isAbsorbed, false);
});

Deno.test("migrateScales() leaves a model alone whose tensors have no layers behind, or other channels", () => {
  const before = network([...ABSORBED.LayerNormalization, layer]);
  assert.equal(migrateScales(before, new Map([["y", factors]])).model, before);
  assert.equal(migrateScales(before, new Map([["t", factors.slice(1)]])).model, before);
  assert.equal(migrateScales(before, new Map()).model, before);
});

Deno.test("migrateScales() is exact to float32 for any factors", async () => {
  const before = network([...ABSORBED["a written-out norm with Mul and Add"], layer]);
  const lists = fc.array(fc.double({ min: 1e-3, max: 1e3, noNaN: true }), {
    minLength: CHANNELS,
    maxLength: CHANNELS,
  });
  await fc.assert(
    fc.asyncProperty(lists, async (list) => {
      await assertSameFunction(before, migrate("t", Float64Array.from(list, Math.fround)));
    }),
    { seed: 4, numRuns: 20 },
  );
});
