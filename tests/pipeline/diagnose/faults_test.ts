/** Faults: wrong behind what is right. */
import assert from "node:assert/strict";
import { findFaults } from "../../../pipeline/diagnose/faults.ts";
import { model, node, value } from "../../support/onnx.ts";

/** x → conv → a; a + x → b; b → c. */
const graph = model({
  nodes: [
    node("Relu", ["x"], ["t"]),
    node("Neg", ["t"], ["a"]),
    node("Add", ["a", "x"], ["b"]),
    node("Neg", ["b"], ["c"]),
  ],
  inputs: [value("x", ["n", 4])],
  outputs: [value("c", ["n", 4])],
});

const error = (sqnr: number | null) => ({ sqnr, cosine: 1, maxAbs: sqnr === null ? 0 : 1 });
const faultsOf = (of: Record<string, [local: number | null, accumulated: number | null]>) => [
  ...findFaults(
    graph,
    Object.entries(of).map(([quantized, [local, accumulated]]) => ({
      quantized,
      local: error(local),
      accumulated: error(accumulated),
    })),
  ),
];

Deno.test("errors that grow along the network are none", () => {
  assert.deepEqual(faultsOf({ x: [50, 50], a: [45, 42], b: [44, 38], c: [44, 33] }), []);
});

Deno.test("a layer that is wrong in the whole model only is one, and what follows isn't", () => {
  assert.deepEqual(faultsOf({ x: [50, 50], a: [45, 3], b: [44, 3], c: [44, 2] }), ["a"]);
});

Deno.test("a layer that is bad by itself is none: its own quantizer is at fault", () => {
  assert.deepEqual(faultsOf({ x: [50, 50], a: [4, 3], b: [44, 3], c: [44, 2] }), []);
});

Deno.test("one of two sources that is wrong already explains it", () => {
  assert.deepEqual(faultsOf({ x: [50, 50], a: [5, 5], b: [44, 6], c: [44, 6] }), []);
});

Deno.test("inputs without any error are right", () => {
  assert.deepEqual(faultsOf({ x: [null, null], a: [45, 10], b: [44, 8] }), ["a"]);
});
