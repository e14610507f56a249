/** Operators whose float kernel is as fast go on integers only where that saves quantizers. */
import assert from "node:assert/strict";
import type { NodeProto } from "../../../onnx/file/onnx_pb.ts";
import { outlineGraph } from "../../../onnx/graph/outline.ts";
import { resolve } from "../../../tpc/placement/resolve.ts";
import { presetTarget } from "../../../tpc/targets/read_target.ts";
import { model, node, value } from "../../support/onnx.ts";
import { weights } from "../../support/rewrite.ts";

const target = presetTarget("onnxruntime")!;
const CHEAPER = "on integers it would take as many quantizers or more, and save no time";

function placed(nodes: NodeProto[], by = target) {
  const { graph } = model({
    nodes,
    inputs: [value("x", [1, 8, 6, 6])],
    outputs: [value("y", ["a", "b", "c", "d"])],
    initializers: [weights("w", 8, 8, 3, 3)],
  });
  const { float, activations } = resolve(outlineGraph(graph), by);
  return {
    cheaper: float.filter(({ reason }) => reason === CHEAPER).map(({ node }) => node),
    quantizers: activations.filter(({ sameAs }) => sameAs === undefined).length,
  };
}
/** The same, with all candidates on integers. */
const always = {
  ...target,
  operatorSets: target.operatorSets.map(({ onlyIfCheaper: _, ...set }) => set),
};
const conv = (from: string, to: string) => node("Conv", [from, "w"], [to], { pads: [1, 1, 1, 1] });

const FLOAT: Record<string, [NodeProto[], string[]]> = {
  "an Add between float operators": [[
    conv("x", "c"),
    node("Tanh", ["c"], ["a"]),
    node("Erf", ["c"], ["b"]),
    node("Add", ["a", "b"], ["s"]),
    node("Tanh", ["s"], ["t"]),
    conv("t", "y"),
  ], ["Add_s"]],
  "a chain between float operators": [[
    conv("x", "c"),
    node("Tanh", ["c"], ["a"]),
    node("Sigmoid", ["a"], ["g"]),
    node("Mul", ["a", "g"], ["m"]),
    node("Erf", ["m"], ["t"]),
    conv("t", "y"),
  ], ["Sigmoid_g", "Mul_m"]],
};
for (const [name, [nodes, wanted]] of Object.entries(FLOAT)) {
  Deno.test(`resolve() leaves ${name} float: it takes fewer quantizers`, () => {
    const { cheaper, quantizers } = placed(nodes);
    assert.deepEqual(cheaper, wanted);
    assert.ok(quantizers <= placed(nodes, always).quantizers);
  });
}

const INTEGER: Record<string, NodeProto[]> = {
  "an Add between layers": [
    conv("x", "a"),
    conv("a", "b"),
    node("Add", ["a", "b"], ["s"]),
    conv("s", "y"),
  ],
  "SiLU between layers": [
    conv("x", "a"),
    node("Sigmoid", ["a"], ["g"]),
    node("Mul", ["a", "g"], ["m"]),
    conv("m", "y"),
  ],
  "a Relu behind a layer": [conv("x", "a"), node("Relu", ["a"], ["r"]), conv("r", "y")],
  "pooling between layers": [
    conv("x", "a"),
    node("AveragePool", ["a"], ["p"], { kernel_shape: [2, 2] }),
    conv("p", "y"),
  ],
  "an Add between layers, by way of what moves elements": [
    conv("x", "a"),
    node("Transpose", ["a"], ["t"], { perm: [0, 1, 3, 2] }),
    node("Add", ["a", "t"], ["s"]),
    conv("s", "y"),
  ],
};
for (const [name, nodes] of Object.entries(INTEGER)) {
  Deno.test(`resolve() puts ${name} on integers`, () => {
    assert.deepEqual(placed(nodes).cheaper, []);
  });
}
