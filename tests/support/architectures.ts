/** Networks in the shapes that people quantize, small and with seeded random weights. */
import type { NodeProto, TensorProto } from "../../onnx/file/onnx_pb.ts";
import type { Model } from "../../onnx/file/model.ts";
import { makeTensor } from "../../onnx/file/tensor.ts";
import { model, node, value } from "./onnx.ts";
import { gaussian } from "./random.ts";

/** A network with what it takes and how many of its layers could run on integers. */
export interface Architecture {
  readonly model: Model;
  /** Shape of one sample, with the batch axis. */
  readonly input: readonly number[];
}

interface ConvOptions {
  stride?: number;
  group?: number;
  bias?: boolean;
  pad?: number;
}

/** Collects nodes and weights; every method returns the name of the tensor that it makes. */
class Net {
  readonly nodes: NodeProto[] = [];
  readonly initializers: TensorProto[] = [];
  readonly #random: () => number;
  #count = 0;

  constructor(seed: number) {
    this.#random = gaussian(seed);
  }

  weights(dims: number[], scale: number): string {
    const data = new Float32Array(dims.reduce((a, b) => a * b, 1));
    return this.constant(dims, data.map(() => scale * this.#random()));
  }

  constant(dims: number[], data: Float32Array | BigInt64Array): string {
    const name = `k${this.#count++}`;
    this.initializers.push(makeTensor(name, dims, data));
    return name;
  }

  scalar(x: number): string {
    return this.constant([], Float32Array.of(x));
  }

  add(
    op: string,
    inputs: string[],
    attributes: Parameters<typeof node>[3] = {},
    outputs = 1,
  ): string[] {
    const names = Array.from({ length: outputs }, () => `t${this.#count++}`);
    this.nodes.push(node(op, inputs, names, attributes));
    return names;
  }

  op(op: string, inputs: string[], attributes: Parameters<typeof node>[3] = {}): string {
    return this.add(op, inputs, attributes)[0];
  }

  /** Convolution of any rank: `kernel` has one size for each spatial axis. */
  conv(x: string, from: number, to: number, kernel: number[], options: ConvOptions = {}): string {
    const { stride = 1, group = 1, bias = true, pad = kernel[0] >> 1 } = options;
    const fan = (from / group) * kernel.reduce((a, b) => a * b, 1);
    const w = this.weights([to, from / group, ...kernel], Math.sqrt(2 / fan));
    return this.op("Conv", [x, w, ...(bias ? [this.weights([to], 0.1)] : [])], {
      kernel_shape: kernel,
      pads: [...kernel, ...kernel].map(() => pad),
      strides: kernel.map(() => stride),
      group,
    });
  }

  relu(x: string): string {
    return this.op("Relu", [x]);
  }

  relu6(x: string): string {
    return this.op("Clip", [x, this.scalar(0), this.scalar(6)]);
  }

  linear(x: string, from: number, to: number): string {
    const w = this.weights([to, from], Math.sqrt(1 / from));
    return this.op("Gemm", [x, w, this.weights([to], 0.1)], { transB: 1 });
  }

  /** MatMul with a bias behind it, as torch.nn.Linear of rank 3 is written. */
  project(x: string, from: number, to: number): string {
    const w = this.weights([from, to], Math.sqrt(1 / from));
    return this.op("Add", [this.op("MatMul", [x, w]), this.weights([to], 0.1)]);
  }

  layerNorm(x: string, width: number): string {
    const one = this.constant([width], new Float32Array(width).fill(1));
    const zero = this.constant([width], new Float32Array(width));
    return this.op("LayerNormalization", [x, one, zero], { axis: -1, epsilon: 1e-5 });
  }

  reshape(x: string, ...shape: number[]): string {
    return this.op("Reshape", [
      x,
      this.constant([shape.length], BigInt64Array.from(shape, BigInt)),
    ]);
  }

  finish(y: string, input: number[], output: (number | string)[]): Architecture {
    // The output under a name of its own, without an Identity that preparation would take out again.
    const last = this.nodes.find(({ output }) => output.includes(y))!;
    last.output = last.output.map((name) => name === y ? "y" : name);
    return {
      model: model({
        nodes: this.nodes,
        inputs: [value("x", ["N", ...input.slice(1)])],
        outputs: [value("y", ["N", ...output])],
        initializers: this.initializers,
      }),
      input,
    };
  }

  classify(x: string, width: number, input: number[]): Architecture {
    const pooled = this.op("Flatten", [this.op("GlobalAveragePool", [x])], { axis: 1 });
    return this.finish(this.linear(pooled, width, 5), input, [5]);
  }
}

const IMAGE = [1, 3, 16, 16];

function plain(): Architecture {
  const net = new Net(1);
  let x = net.relu(net.conv("x", 3, 8, [3, 3]));
  x = net.op("MaxPool", [x], { kernel_shape: [2, 2], strides: [2, 2] });
  x = net.relu(net.conv(x, 8, 12, [3, 3], { bias: false }));
  x = net.op("AveragePool", [x], { kernel_shape: [2, 2], strides: [2, 2] });
  x = net.op("Flatten", [x], { axis: 1 });
  x = net.relu(net.linear(x, 12 * 4 * 4, 16));
  return net.finish(net.linear(x, 16, 5), IMAGE, [5]);
}

function residual(): Architecture {
  const net = new Net(2);
  let x = net.relu(net.conv("x", 3, 8, [3, 3]));
  const y = net.conv(net.relu(net.conv(x, 8, 8, [3, 3])), 8, 8, [3, 3]);
  x = net.relu(net.op("Add", [x, y]));
  const z = net.conv(net.relu(net.conv(x, 8, 16, [3, 3], { stride: 2 })), 16, 16, [3, 3]);
  x = net.relu(net.op("Add", [net.conv(x, 8, 16, [1, 1], { stride: 2, pad: 0 }), z]));
  return net.classify(x, 16, IMAGE);
}

function invertedResidual(): Architecture {
  const net = new Net(3);
  const x = net.relu6(net.conv("x", 3, 8, [3, 3]));
  let y = net.relu6(net.conv(x, 8, 24, [1, 1], { pad: 0 }));
  y = net.relu6(net.conv(y, 24, 24, [3, 3], { group: 24 }));
  y = net.conv(y, 24, 8, [1, 1], { pad: 0 });
  return net.classify(net.op("Add", [x, y]), 8, IMAGE);
}

function squeezeExcite(): Architecture {
  const net = new Net(4);
  const h = net.conv("x", 3, 8, [3, 3]);
  const x = net.op("Mul", [h, net.op("Sigmoid", [h])]);
  let s = net.op("GlobalAveragePool", [x]);
  s = net.relu(net.conv(s, 8, 4, [1, 1], { pad: 0 }));
  s = net.op("Sigmoid", [net.conv(s, 4, 8, [1, 1], { pad: 0 })]);
  return net.classify(net.conv(net.op("Mul", [x, s]), 8, 8, [1, 1], { pad: 0 }), 8, IMAGE);
}

function inception(): Architecture {
  const net = new Net(5);
  const x = net.relu(net.conv("x", 3, 8, [3, 3]));
  const branches = [
    net.relu(net.conv(x, 8, 4, [1, 1], { pad: 0 })),
    net.relu(net.conv(net.relu(net.conv(x, 8, 4, [1, 1], { pad: 0 })), 4, 6, [3, 3])),
    net.op("MaxPool", [x], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }),
  ];
  const y = net.op("Concat", branches, { axis: 1 });
  return net.classify(net.relu(net.conv(y, 18, 8, [1, 1], { pad: 0 })), 8, IMAGE);
}

function depthwiseSeparable(): Architecture {
  const net = new Net(6);
  let x = net.relu(net.conv("x", 3, 8, [3, 3], { stride: 2 }));
  for (let i = 0; i < 2; i++) {
    x = net.relu(net.conv(x, 8, 8, [3, 3], { group: 8, bias: false }));
    x = net.relu(net.conv(x, 8, 8, [1, 1], { pad: 0 }));
  }
  return net.classify(x, 8, IMAGE);
}

/** HardSwish as PyTorch writes it below opset 14. */
function hardSwish(): Architecture {
  const net = new Net(7);
  const swish = (x: string) => {
    const gate = net.op("Clip", [net.op("Add", [x, net.scalar(3)]), net.scalar(0), net.scalar(6)]);
    return net.op("Div", [net.op("Mul", [x, gate]), net.scalar(6)]);
  };
  const x = swish(net.conv("x", 3, 8, [3, 3]));
  return net.classify(swish(net.conv(x, 8, 8, [3, 3], { group: 8 })), 8, IMAGE);
}

/** One encoder block on 4 tokens: attention of two heads, GELU written out, LayerNormalization. */
function transformer(): Architecture {
  const net = new Net(8);
  const [tokens, width, heads] = [4, 16, 2];
  const split = (x: string) =>
    net.op("Transpose", [net.reshape(x, 0, tokens, heads, width / heads)], { perm: [0, 2, 1, 3] });
  const h = net.layerNorm("x", width);
  const [q, k, v] = [0, 1, 2].map(() => split(net.project(h, width, width)));
  const scores = net.op("MatMul", [q, net.op("Transpose", [k], { perm: [0, 1, 3, 2] })]);
  const scaled = net.op("Mul", [scores, net.scalar(1 / Math.sqrt(width / heads))]);
  const mixed = net.op("MatMul", [net.op("Softmax", [scaled], { axis: -1 }), v]);
  const joined = net.reshape(
    net.op("Transpose", [mixed], { perm: [0, 2, 1, 3] }),
    0,
    tokens,
    width,
  );
  const x = net.op("Add", ["x", net.project(joined, width, width)]);
  const up = net.project(net.layerNorm(x, width), width, 32);
  const erf = net.op("Erf", [net.op("Div", [up, net.scalar(Math.SQRT2)])]);
  const half = net.op("Mul", [up, net.op("Add", [erf, net.scalar(1)])]);
  const down = net.project(net.op("Mul", [half, net.scalar(0.5)]), 32, width);
  return net.finish(net.op("Add", [x, down]), [1, tokens, width], [tokens, width]);
}

function unet(): Architecture {
  const net = new Net(9);
  const a = net.relu(net.conv("x", 3, 8, [3, 3]));
  const b = net.op("MaxPool", [a], { kernel_shape: [2, 2], strides: [2, 2] });
  const c = net.relu(net.conv(b, 8, 12, [3, 3]));
  const up = net.op("ConvTranspose", [c, net.weights([12, 8, 2, 2], 0.3), net.weights([8], 0.1)], {
    kernel_shape: [2, 2],
    strides: [2, 2],
  });
  const d = net.relu(net.conv(net.op("Concat", [a, net.relu(up)], { axis: 1 }), 16, 8, [3, 3]));
  const sizes = net.constant([4], Float32Array.of(1, 1, 2, 2));
  const resized = net.op("Resize", [d, "", sizes]);
  return net.finish(net.conv(resized, 8, 2, [1, 1], { pad: 0 }), IMAGE, [2, 32, 32]);
}

function oneDimensional(): Architecture {
  const net = new Net(10);
  let x = net.relu(net.conv("x", 2, 8, [5]));
  x = net.relu(net.conv(x, 8, 8, [3], { stride: 2 }));
  return net.classify(x, 8, [1, 2, 32]);
}

function threeDimensional(): Architecture {
  const net = new Net(11);
  let x = net.relu(net.conv("x", 1, 4, [3, 3, 3]));
  x = net.relu(net.conv(x, 4, 6, [3, 3, 3], { stride: 2 }));
  return net.classify(x, 6, [1, 1, 6, 8, 8]);
}

/** The shape of ResNet-50 (He et al. 2015): 53 convolutions, 16 sums. 25 million weights: for benchmarks. */
export function resNet50(): Architecture {
  const net = new Net(50);
  let x = net.relu(net.conv("x", 3, 64, [7, 7], { stride: 2 }));
  x = net.op("MaxPool", [x], { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] });
  let width = 64;
  for (const [stage, blocks] of [3, 4, 6, 3].entries()) {
    const inner = 64 * 2 ** stage;
    for (let block = 0; block < blocks; block++) {
      const stride = stage > 0 && block === 0 ? 2 : 1;
      let y = net.relu(net.conv(x, width, inner, [1, 1]));
      y = net.relu(net.conv(y, inner, inner, [3, 3], { stride }));
      y = net.conv(y, inner, 4 * inner, [1, 1]);
      const skip = block === 0 ? net.conv(x, width, 4 * inner, [1, 1], { stride }) : x;
      x = net.relu(net.op("Add", [skip, y]));
      width = 4 * inner;
    }
  }
  return net.classify(x, width, [1, 3, 224, 224]);
}

/** All of them, by name. */
export const ARCHITECTURES: Readonly<Record<string, () => Architecture>> = {
  plain,
  residual,
  "inverted residual with ReLU6": invertedResidual,
  "squeeze and excite with SiLU": squeezeExcite,
  "inception with concat": inception,
  "depthwise separable": depthwiseSeparable,
  "hard swish written out": hardSwish,
  "transformer block": transformer,
  "U-Net with ConvTranspose and Resize": unet,
  "one-dimensional": oneDimensional,
  "three-dimensional": threeDimensional,
};
