import type { NodeProto, TensorProto } from "../../onnx/file/onnx_pb.ts";
import { model, node, value } from "../support/onnx.ts";
import { makeTensor } from "../../onnx/file/tensor.ts";
import { assertRewrite, integers, scalar } from "../support/rewrite.ts";

interface Case {
  nodes: NodeProto[];
  x: (number | string)[];
  left: string[];
  constants?: TensorProto[];
  outputs?: string[];
  /** Of the outputs, where it isn't that of x. */
  shape?: number[];
}
const transpose = (input: string, output: string, perm?: number[]) =>
  node("Transpose", [input], [output], perm === undefined ? {} : { perm });
const neg = (input: string, output: string) => node("Neg", [input], [output]);

const CASES: Record<string, Case> = {
  "takes out a Cast from float to float": {
    nodes: [neg("x", "a"), node("Cast", ["a"], ["b"], { to: 1 }), neg("b", "z")],
    x: [2, 3],
    left: ["Neg", "Neg"],
  },
  "keeps Casts that change the type": {
    nodes: [
      node("Cast", ["x"], ["a"], { to: 7 }),
      node("Cast", ["a"], ["b"], { to: 1 }),
      neg("b", "z"),
    ],
    x: [2, 30],
    left: ["Cast", "Cast", "Neg"],
  },
  "takes out a Transpose that leaves the axes in place": {
    nodes: [neg("x", "a"), transpose("a", "b", [0, 1, 2]), neg("b", "z")],
    x: [2, 3, 4],
    left: ["Neg", "Neg"],
  },
  "takes out two Transposes that cancel, an Identity between them": {
    nodes: [
      neg("x", "a"),
      transpose("a", "b", [1, 2, 0]),
      node("Identity", ["b"], ["c"]),
      transpose("c", "d", [2, 0, 1]),
      neg("d", "z"),
    ],
    x: [2, 3, 4],
    left: ["Neg", "Neg"],
  },
  "takes out two reversals of all axes": {
    nodes: [transpose("x", "a"), transpose("a", "b"), neg("b", "z")],
    x: [2, 3, 4],
    left: ["Neg"],
  },
  "keeps the first of two Transposes that cancel where it is read": {
    nodes: [
      transpose("x", "a", [1, 0]),
      transpose("a", "b", [1, 0]),
      neg("b", "z"),
      neg("a", "y"),
    ],
    x: [2, 3],
    left: ["Transpose", "Neg", "Neg"],
    outputs: ["z", "y"],
  },
  "takes out two of three Transposes": {
    nodes: [
      transpose("x", "a", [1, 0]),
      transpose("a", "b", [1, 0]),
      transpose("b", "c", [1, 0]),
      neg("c", "z"),
    ],
    x: [2, 3],
    left: ["Transpose", "Neg"],
  },
  "keeps two Transposes that turn the axes on": {
    nodes: [transpose("x", "a", [1, 2, 0]), transpose("a", "b", [1, 2, 0]), neg("b", "z")],
    x: [2, 3, 4],
    left: ["Transpose", "Transpose", "Neg"],
  },
  "takes out a Reshape to the shape that is there, batch left open": {
    nodes: [neg("x", "a"), node("Reshape", ["a", "shape"], ["b"]), neg("b", "z")],
    x: ["N", 3, 4],
    constants: [integers("shape", [-1, 3, 0])],
    left: ["Neg", "Neg"],
  },
  "keeps a Reshape that changes the shape": {
    nodes: [neg("x", "a"), node("Reshape", ["a", "shape"], ["b"]), neg("b", "z")],
    x: ["N", 3, 4],
    constants: [integers("shape", [-1, 4, 3])],
    left: ["Neg", "Reshape", "Neg"],
  },
  "keeps a Reshape that fixes an open batch": {
    nodes: [neg("x", "a"), node("Reshape", ["a", "shape"], ["b"]), neg("b", "z")],
    x: ["N", 3, 4],
    constants: [integers("shape", [2, 3, 4])],
    left: ["Neg", "Reshape", "Neg"],
  },
  "takes out arithmetic with a neutral constant on either side": {
    nodes: [
      neg("x", "a"),
      node("Mul", ["a", "one"], ["b"]),
      node("Add", ["zero", "b"], ["c"]),
      node("Div", ["c", "ones"], ["d"]),
      node("Sub", ["d", "zero"], ["e"]),
      node("Mul", ["one", "e"], ["f"]),
      neg("f", "z"),
    ],
    x: ["N", 3],
    constants: [
      scalar("one", 1),
      scalar("zero", 0),
      makeTensor("ones", [1, 1], Float32Array.of(1)),
    ],
    left: ["Neg", "Neg"],
  },
  "keeps 1 over and 0 minus something, constants that add an axis, and other numbers": {
    nodes: [
      neg("x", "a"),
      node("Div", ["one", "a"], ["b"]),
      node("Sub", ["zero", "b"], ["c"]),
      node("Mul", ["c", "wide"], ["d"]),
      node("Mul", ["d", "almost"], ["e"]),
      node("Add", ["e", "almost"], ["z"]),
    ],
    x: [3],
    constants: [
      scalar("one", 1),
      scalar("zero", 0),
      scalar("almost", 1 + 2 ** -23),
      makeTensor("wide", [1, 1], Float32Array.of(1)),
    ],
    shape: [1, 3],
    left: ["Neg", "Div", "Sub", "Mul", "Mul", "Add"],
  },
  "keeps a sum with several zeros, which bias correction may fill": {
    nodes: [neg("x", "a"), node("Add", ["a", "zeros"], ["b"]), neg("b", "z")],
    x: [2, 3],
    constants: [makeTensor("zeros", [3], new Float32Array(3))],
    left: ["Neg", "Add", "Neg"],
  },
  "keeps a Transpose whose result is an output of the model": {
    nodes: [neg("x", "a"), transpose("a", "z", [0, 1])],
    x: [2, 3],
    left: ["Neg", "Transpose"],
  },
};
for (const [name, { nodes, x, left, constants, outputs = ["z"], shape }] of Object.entries(CASES)) {
  Deno.test(`removeNoOps() ${name}`, async () => {
    const before = model({
      nodes,
      inputs: [value("x", x)],
      outputs: outputs.map((output) =>
        value(output, shape ?? x.map((_, axis) => `${output}${axis}`))
      ),
      initializers: constants,
    });
    await assertRewrite(before, left);
  });
}
