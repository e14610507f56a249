import assert from "node:assert/strict";
import { indexGraph } from "../../onnx/graph/graph_index.ts";
import { makeTensor } from "../../onnx/file/tensor.ts";
import { model, node, value } from "../support/onnx.ts";

const io = { inputs: [value("x", [2])], outputs: [value("z", [2])] };

Deno.test("indexGraph() finds producers, consumers and initializers", () => {
  const { graph } = model({
    ...io,
    nodes: [node("Add", ["x", "w"], ["y"]), node("Mul", ["y", "y"], ["z"])],
    initializers: [makeTensor("w", [2], Float32Array.of(1, 2))],
  });
  const index = indexGraph(graph);
  assert.equal(index.producers.get("y")?.opType, "Add");
  assert.deepEqual(index.consumers.get("y")?.map(({ opType }) => opType), ["Mul"]);
  assert.deepEqual([...index.initializers.keys()], ["w"]);
  assert.ok(index.outputs.has("z"));
});

Deno.test("indexGraph() sorts nodes topologically and keeps the file's order among equals", () => {
  const { graph } = model({
    ...io,
    nodes: [node("Add", ["a", "b"], ["z"]), node("Neg", ["x"], ["a"]), node("Abs", ["x"], ["b"])],
  });
  assert.deepEqual(indexGraph(graph).nodes.map(({ opType }) => opType), ["Neg", "Abs", "Add"]);
});

Deno.test("indexGraph() sorts a chain of 20,000 nodes without exhausting the stack", () => {
  const nodes = Array.from(
    { length: 20000 },
    (_, i) => node("Neg", [i === 0 ? "x" : `t${i}`], [i === 19999 ? "z" : `t${i + 1}`]),
  ).reverse();
  assert.equal(indexGraph(model({ ...io, nodes }).graph).nodes.length, 20000);
});

Deno.test("indexGraph() takes initializers listed among the inputs for overridable", () => {
  const parts = {
    nodes: [node("Add", ["x", "w"], ["z"])],
    inputs: [value("x", [2]), value("w", [2])],
    outputs: io.outputs,
    initializers: [makeTensor("w", [2], Float32Array.of(1, 2))],
  };
  assert.equal(indexGraph(model(parts).graph).initializers.size, 0);
});

const FAULTS: [string, ReturnType<typeof node>[], RegExp][] = [
  ["a cycle", [
    node("Add", ["x", "b"], ["a"]),
    node("Neg", ["a"], ["b"]),
    node("Neg", ["b"], ["z"]),
  ], /cycle/],
  ["a tensor made twice", [node("Neg", ["x"], ["z"]), node("Abs", ["x"], ["z"])], /made twice/],
  ["an input that nothing makes", [node("Add", ["x", "ghost"], ["z"])], /ghost/],
];
for (const [name, nodes, message] of FAULTS) {
  Deno.test(`indexGraph() refuses ${name}`, () => {
    assert.throws(() => indexGraph(model({ ...io, nodes }).graph), message);
  });
}
