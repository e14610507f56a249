import assert from "node:assert/strict";
import type { NodeProto, TensorProto } from "../../onnx/file/onnx_pb.ts";
import { runConstants } from "../../pipeline/inference/default_runtime.ts";
import { prepareModel } from "../../onnx/prepare/prepare.ts";
import { floatData, makeTensor } from "../../onnx/file/tensor.ts";
import { model, node, value } from "../support/onnx.ts";
import { floats, uniform } from "../support/random.ts";
import { assertRewrite, operators, scalar, weights } from "../support/rewrite.ts";

const positive = uniform(18);
const spread = (name: string, ...dims: number[]) =>
  makeTensor(name, dims, floats(dims.reduce((a, b) => a * b, 1), () => 0.5 + positive()));
const norm = (prefix: string, input: string, output: string) =>
  node("BatchNormalization", [input, ...["g", "b", "m", "v"].map((p) => prefix + p)], [output], {
    epsilon: 1e-3,
  });
const normParameters = (prefix: string, channels: number) => [
  weights(`${prefix}g`, channels),
  weights(`${prefix}b`, channels),
  weights(`${prefix}m`, channels),
  spread(`${prefix}v`, channels),
];

interface Case {
  nodes: NodeProto[];
  x: (number | string)[];
  z: (number | string)[];
  constants: TensorProto[];
  left: string[];
  /** Tensors that the runtime must not fuse away in the original. */
  watch?: string[];
}
const grid = (channels: number) => ["n", channels, "h", "w"];

const CASES: Record<string, Case> = {};
for (const group of [1, 2, 4]) {
  CASES[`BatchNormalization into ConvTranspose, group ${group}`] = {
    nodes: [
      node("ConvTranspose", ["x", "w"], ["y"], { group, strides: [2, 2], pads: [1, 0, 0, 1] }),
      norm("n", "y", "z"),
    ],
    x: [1, 4, 4, 5],
    z: grid(8),
    constants: [weights("w", 4, 8 / group, 3, 3), ...normParameters("n", 8)],
    left: ["ConvTranspose"],
  };
  CASES[`BatchNormalization into a padded ConvTranspose with bias, group ${group}`] = {
    nodes: [
      node("ConvTranspose", ["x", "w", "c"], ["y"], {
        ...{ group, strides: [2, 2], output_padding: [1, 1] },
      }),
      norm("n", "y", "z"),
    ],
    x: [1, 4, 4, 5],
    z: grid(8),
    constants: [weights("w", 4, 8 / group, 2, 2), weights("c", 8), ...normParameters("n", 8)],
    left: ["ConvTranspose"],
  };
}
Object.assign(
  CASES,
  {
    "BatchNormalization into a depthwise Conv": {
      nodes: [
        node("Conv", ["x", "w"], ["y"], { group: 4, pads: [1, 1, 1, 1] }),
        norm("n", "y", "z"),
      ],
      x: [2, 4, 5, 5],
      z: grid(8),
      constants: [weights("w", 8, 1, 3, 3), ...normParameters("n", 8)],
      left: ["Conv"],
    },
    "BatchNormalization into a 1-D Conv": {
      nodes: [node("Conv", ["x", "w"], ["y"]), norm("n", "y", "z")],
      x: [2, 4, 9],
      z: ["n", 8, "t"],
      constants: [weights("w", 8, 4, 3), ...normParameters("n", 8)],
      left: ["Conv"],
    },
    "BatchNormalization into a MatMul, which becomes a Gemm": {
      nodes: [node("MatMul", ["x", "w"], ["y"]), norm("n", "y", "z")],
      x: [3, 6],
      z: ["n", 5],
      constants: [weights("w", 6, 5), ...normParameters("n", 5)],
      left: ["Gemm"],
    },
    "a bias and BatchNormalization into a MatMul": {
      nodes: [
        node("MatMul", ["x", "w"], ["a"]),
        node("Add", ["c", "a"], ["y"]),
        norm("n", "y", "z"),
      ],
      x: [3, 6],
      z: ["n", 5],
      constants: [weights("w", 6, 5), weights("c", 5), ...normParameters("n", 5)],
      left: ["Gemm"],
      watch: ["a", "y"],
    },
    "a bias into a MatMul whose rank follows from Flatten": {
      nodes: [
        node("Relu", ["x"], ["r"]),
        node("Flatten", ["r"], ["f"]),
        node("MatMul", ["f", "w"], ["y"]),
        node("Add", ["y", "c"], ["z"]),
      ],
      x: [2, 3, 2],
      z: ["n", 5],
      constants: [weights("w", 6, 5), weights("c", 1, 5)],
      left: ["Relu", "Flatten", "Gemm"],
    },
    "factors into a MatMul of rank 3": {
      nodes: [
        node("MatMul", ["x", "w"], ["a"]),
        node("Mul", ["a", "s"], ["b"]),
        node("Div", ["b", "two"], ["y"]),
        node("Add", ["y", "c"], ["z"]),
      ],
      x: [2, 3, 6],
      z: ["n", 3, 5],
      constants: [weights("w", 6, 5), spread("s", 5), scalar("two", 2), weights("c", 5)],
      left: ["MatMul", "Add"],
      watch: ["a", "b"],
    },
    "a bias with a factor behind it into a MatMul of rank 3 and one Add": {
      nodes: [
        node("MatMul", ["x", "w"], ["a"]),
        node("Add", ["a", "c"], ["b"]),
        node("Mul", ["s", "b"], ["z"]),
      ],
      x: [2, 3, 6],
      z: ["n", 3, 5],
      constants: [weights("w", 6, 5), spread("s", 5), weights("c", 5)],
      left: ["MatMul", "Add"],
      watch: ["a", "b"],
    },
    "Mul, Add, Div and Sub into a Conv": {
      nodes: [
        node("Conv", ["x", "w"], ["a"], { pads: [1, 1, 1, 1] }),
        node("Mul", ["a", "s"], ["b"]),
        node("Add", ["t", "b"], ["c"]),
        node("Div", ["c", "d"], ["d1"]),
        node("Sub", ["one", "d1"], ["e"]),
        node("Sub", ["e", "u"], ["z"]),
      ],
      x: [2, 3, 4, 4],
      z: grid(5),
      constants: [
        ...[weights("w", 5, 3, 3, 3), spread("s", 1, 5, 1, 1), weights("t", 5, 1, 1)],
        ...[spread("d", 1), scalar("one", 1), weights("u", 5, 1, 1)],
      ],
      left: ["Conv"],
      watch: ["a", "b", "c", "d1", "e"],
    },
    "Mul and Add into a Gemm with a bias": {
      nodes: [
        node("Gemm", ["x", "w", "b"], ["a"], { transB: 1, alpha: 0.5, beta: 2 }),
        node("Mul", ["a", "s"], ["c"]),
        node("Add", ["c", "t"], ["z"]),
      ],
      x: [3, 6],
      z: ["n", 5],
      constants: [weights("w", 5, 6), weights("b", 5), spread("s", 5), weights("t", 1, 5)],
      left: ["Gemm"],
      watch: ["a", "c"],
    },
    "BatchNormalization into the Conv without padding behind it": {
      nodes: [norm("n", "x", "y"), node("Conv", ["y", "w", "b"], ["z"], { group: 2 })],
      x: [2, 4, 5, 5],
      z: grid(6),
      constants: [weights("w", 6, 2, 3, 3), weights("b", 6), ...normParameters("n", 4)],
      left: ["Conv"],
      watch: ["y"],
    },
    "BatchNormalization into the MatMul behind it": {
      nodes: [norm("n", "x", "y"), node("MatMul", ["y", "w"], ["z"])],
      x: [3, 6],
      z: ["n", 5],
      constants: [weights("w", 6, 5), ...normParameters("n", 6)],
      left: ["Gemm"],
      watch: ["y"],
    },
    "BatchNormalization into the Gemm behind it": {
      nodes: [
        norm("n", "x", "y"),
        node("Gemm", ["y", "w", "b"], ["z"], { transB: 1, alpha: 0.5, beta: 2 }),
      ],
      x: [3, 6],
      z: ["n", 5],
      constants: [weights("w", 5, 6), weights("b", 5), ...normParameters("n", 6)],
      left: ["Gemm"],
      watch: ["y"],
    },
    "a factor into the ConvTranspose and into the padded Conv behind it": {
      nodes: [
        node("Mul", ["x", "s"], ["a"]),
        node("ConvTranspose", ["a", "w"], ["b"], { group: 2, strides: [2, 2] }),
        node("Relu", ["b"], ["c"]),
        node("Div", ["c", "d"], ["e"]),
        node("Conv", ["e", "v"], ["z"], { pads: [1, 1, 1, 1] }),
      ],
      x: [1, 4, 4, 4],
      z: grid(3),
      constants: [
        ...[spread("s", 4, 1, 1), spread("d", 1, 6, 1, 1)],
        ...[weights("w", 4, 3, 2, 2), weights("v", 3, 6, 3, 3)],
      ],
      left: ["ConvTranspose", "Relu", "Conv"],
      watch: ["a", "e"],
    },
    "the factor of a normalization, whose offset stays, into a padded Conv": {
      nodes: [
        node("Sub", ["x", "m"], ["a"]),
        node("Div", ["a", "s"], ["b"]),
        node("Conv", ["b", "w"], ["z"], { pads: [1, 1, 1, 1] }),
      ],
      x: [1, 3, 5, 5],
      z: grid(4),
      constants: [weights("m", 3, 1, 1), spread("s", 3, 1, 1), weights("w", 4, 3, 3, 3)],
      left: ["Sub", "Conv"],
      watch: ["a", "b"],
    },
    "BatchNormalization on both sides of a Conv": {
      nodes: [
        norm("p", "x", "a"),
        node("Conv", ["a", "w"], ["b"], { strides: [2, 2] }),
        norm("q", "b", "z"),
      ],
      x: [2, 4, 5, 5],
      z: grid(6),
      constants: [weights("w", 6, 4, 1, 1), ...normParameters("p", 4), ...normParameters("q", 6)],
      left: ["Conv"],
      watch: ["a", "b"],
    },
  } satisfies Record<string, Case>,
);

const build = ({ nodes, x, z, constants }: Omit<Case, "left">, opset?: number) =>
  model({
    nodes,
    inputs: [value("x", x)],
    outputs: [value("z", z)],
    initializers: constants,
    opset,
  });

for (const [name, parts] of Object.entries(CASES)) {
  Deno.test(`prepareModel() folds ${name}`, async () => {
    await assertRewrite(build(parts), parts.left, { watch: parts.watch });
  });
}

const conv = (input: string, output: string, attributes = {}) =>
  node("Conv", [input, "w"], [output], attributes);
/** Where folding isn't exact, or isn't known to be. */
const LEFT: Record<string, Omit<Case, "left">> = {
  "BatchNormalization before a padded Conv": {
    nodes: [norm("n", "x", "y"), conv("y", "z", { pads: [1, 1, 1, 1] })],
    x: [2, 4, 5, 5],
    z: grid(6),
    constants: [weights("w", 6, 4, 3, 3), ...normParameters("n", 4)],
  },
  "BatchNormalization before ConvTranspose": {
    nodes: [norm("n", "x", "y"), node("ConvTranspose", ["y", "w"], ["z"])],
    x: [2, 4, 5, 5],
    z: grid(6),
    constants: [weights("w", 4, 6, 3, 3), ...normParameters("n", 4)],
  },
  "BatchNormalization of axis 1 behind a MatMul of rank 3": {
    nodes: [node("MatMul", ["x", "w"], ["y"]), norm("n", "y", "z")],
    x: [2, 5, 6],
    z: ["n", 5, 5],
    constants: [weights("w", 6, 5), ...normParameters("n", 5)],
  },
  "a bias behind a MatMul of rank 3": {
    nodes: [node("MatMul", ["x", "w"], ["y"]), node("Add", ["y", "c"], ["z"])],
    x: [2, 3, 6],
    z: ["n", 3, 5],
    constants: [weights("w", 6, 5), weights("c", 5)],
  },
  "a constant along the width of a Conv's output": {
    nodes: [conv("x", "y"), node("Mul", ["y", "s"], ["z"])],
    x: [2, 3, 4, 4],
    z: grid(4),
    constants: [weights("w", 4, 3, 1, 1), spread("s", 4)],
  },
  "a constant that spreads a channel over several": {
    nodes: [conv("x", "y"), node("Mul", ["y", "s"], ["z"])],
    x: [2, 3, 4, 4],
    z: grid(5),
    constants: [weights("w", 1, 3, 1, 1), spread("s", 5, 1, 1)],
  },
  "a constant that adds an axis": {
    nodes: [conv("x", "y"), node("Mul", ["y", "s"], ["z"])],
    x: [2, 3, 4, 4],
    z: [1, "n", 5, "h", "w"],
    constants: [weights("w", 5, 3, 1, 1), spread("s", 1, 1, 1, 1, 1)],
  },
  "a constant that spreads a channel before a Conv": {
    nodes: [node("Mul", ["x", "s"], ["y"]), conv("y", "z")],
    x: [2, 1, 4, 4],
    z: grid(5),
    constants: [weights("w", 5, 3, 1, 1), spread("s", 3, 1, 1)],
  },
  "a division by the layer's output": {
    nodes: [conv("x", "y"), node("Div", ["s", "y"], ["z"])],
    x: [2, 3, 4, 4],
    z: grid(5),
    constants: [weights("w", 5, 3, 1, 1), spread("s", 5, 1, 1)],
  },
  "a factor of 0 that a Div divides by": {
    nodes: [conv("x", "a"), node("Div", ["a", "s"], ["b"]), node("Atan", ["b"], ["z"])],
    x: [2, 3, 4, 4],
    z: grid(5),
    constants: [weights("w", 5, 3, 1, 1), scalar("s", 0)],
  },
  "weights that would leave float32": {
    nodes: [conv("x", "a"), node("Mul", ["a", "s"], ["b"]), node("Atan", ["b"], ["z"])],
    x: [2, 3, 4, 4],
    z: grid(5),
    constants: [
      makeTensor("w", [5, 3, 1, 1], new Float32Array(15).fill(1e20)),
      scalar("s", 1e20),
    ],
  },
  "a residual that is a graph input": {
    nodes: [conv("x", "y"), node("Add", ["y", "x"], ["z"])],
    x: [2, 3, 4, 4],
    z: grid(3),
    constants: [weights("w", 3, 3, 1, 1)],
  },
  "a hard swish, whose input is read twice": {
    nodes: [
      conv("x", "y"),
      node("Add", ["y", "three"], ["a"]),
      node("Clip", ["a", "zero", "six"], ["b"]),
      node("Mul", ["y", "b"], ["z"]),
    ],
    x: [2, 3, 4, 4],
    z: grid(5),
    constants: [
      weights("w", 5, 3, 1, 1),
      ...[["zero", 0], ["three", 3], ["six", 6]].map(
        ([name, size]) => scalar(name as string, size as number),
      ),
    ],
  },
};
for (const [name, parts] of Object.entries(LEFT)) {
  Deno.test(`prepareModel() leaves ${name}`, async () => {
    const before = build(parts);
    const after = await prepareModel(before, runConstants);
    assert.deepEqual(operators(after), operators(before));
    assert.deepEqual(after.graph.initializer, before.graph.initializer);
  });
}

const SHARED: Record<string, NodeProto[]> = {
  "ConvTranspose": [
    node("ConvTranspose", ["x", "w"], ["a"]),
    norm("n", "a", "z"),
    node("ConvTranspose", ["x", "w"], ["v"]),
  ],
  "Conv with Mul": [
    node("Conv", ["x", "w"], ["a"]),
    node("Mul", ["a", "s"], ["z"]),
    node("Conv", ["x", "w"], ["v"]),
  ],
  "Conv that both fold": [
    node("Conv", ["x", "w"], ["a"]),
    node("Mul", ["a", "s"], ["z"]),
    node("Conv", ["x", "w"], ["b"]),
    norm("n", "b", "v"),
  ],
  "Conv behind BatchNormalization": [
    norm("n", "x", "a"),
    node("Conv", ["a", "w"], ["z"]),
    node("Conv", ["x", "w"], ["v"]),
  ],
  "bias and weight": [
    node("Conv", ["x", "w", "s4"], ["a"]),
    node("Mul", ["a", "s"], ["b"]),
    node("Add", ["b", "s"], ["z"]),
    node("Conv", ["x", "w", "s4"], ["v"]),
  ],
};
for (const [name, nodes] of Object.entries(SHARED)) {
  Deno.test(`prepareModel() folds into one ${name} and leaves the other that shares its constants`, async () => {
    const before = model({
      nodes,
      inputs: [value("x", [1, 4, 3, 3])],
      outputs: [value("z", grid(4)), value("v", grid(4))],
      initializers: [
        ...[weights("w", 4, 4, 1, 1), spread("s", 4, 1, 1), weights("s4", 4)],
        ...normParameters("n", 4),
      ],
    });
    const layers = nodes.map(({ opType }) => opType).filter((op) => op.startsWith("Conv"));
    const after = await assertRewrite(before, layers);
    const [first, second] = after.graph.node.map(({ input }) => input[1]);
    assert.notEqual(first, second);
  });
}

Deno.test("prepareModel() folds a MatMul whose left side is a vector only when that is exact", async () => {
  const before = model({
    nodes: [node("MatMul", ["x", "w"], ["y"]), node("Mul", ["y", "s"], ["z"])],
    inputs: [value("x", [6])],
    outputs: [value("z", [5])],
    initializers: [weights("w", 6, 5), spread("s", 5)],
  });
  await assertRewrite(before, ["MatMul"], { watch: ["y"] });
});

Deno.test("prepareModel() rounds folded weights once", async () => {
  const third = Math.fround(1 / 3);
  const before = model({
    nodes: [
      node("Conv", ["x", "w"], ["a"]),
      node("Mul", ["a", "s"], ["b"]),
      node("Div", ["b", "s"], ["z"]),
    ],
    inputs: [value("x", [1, 1, 2, 2])],
    outputs: [value("z", grid(1))],
    initializers: [makeTensor("w", [1, 1, 1, 1], Float32Array.of(third)), scalar("s", 1.1)],
  });
  const { graph } = await assertRewrite(before, ["Conv"]);
  assert.deepEqual([...floatData(graph.initializer[0])!], [third]);
});
