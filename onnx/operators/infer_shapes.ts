/**
 * Shapes of tensors, as far as the file and a few rules give them. Rewrites ask for the rank of a
 * tensor or the size of its channel axis; what isn't known is undefined, and they leave the graph alone.
 *
 * @module
 */
import type { GraphProto, NodeProto, ValueInfoProto } from "onnx-buf";
import { constantNumbers } from "../graph/constant_value.ts";
import type { GraphIndex } from "../graph/graph_index.ts";
import { intAttribute, intsAttribute, isOperator, stringAttribute } from "../graph/node.ts";
import { dimensions } from "../file/tensor.ts";

/** Dimensions of a tensor of known rank; undefined for those that vary or aren't known. */
export type Shape = readonly (number | undefined)[];

/** Shapes by tensor name; a tensor of unknown rank isn't there. */
export type Shapes = ReadonlyMap<string, Shape>;

/** Finds the shapes of a graph: declared ones first, then from each operator's inputs. */
export function inferShapes(graph: GraphProto, index: GraphIndex): Shapes {
  const shapes = new Map<string, Shape>();
  for (const [name, tensor] of index.initializers) shapes.set(name, dimensions(tensor));
  for (const info of [...graph.output, ...graph.valueInfo, ...graph.input]) {
    const shape = declaredShape(info);
    if (shape !== undefined) shapes.set(info.name, shape);
  }
  for (const node of index.nodes) {
    const inferred = outputShape(node, node.input.map((name) => shapes.get(name)), index);
    const [name] = node.output;
    const declared = shapes.get(name);
    if (declared === undefined && inferred !== undefined) shapes.set(name, inferred);
    // Both know something: a symbolic dimension may have a number after all.
    if (declared !== undefined && inferred?.length === declared.length) {
      shapes.set(name, declared.map((dim, axis) => dim ?? inferred[axis]));
    }
  }
  return shapes;
}

function declaredShape({ type }: ValueInfoProto): Shape | undefined {
  if (type?.value.case !== "tensorType") return undefined;
  // Paddle writes −1, others 0, for a dimension that varies.
  const shape = type.value.value.shape?.dim.map(({ value }) =>
    value.case === "dimValue" && value.value > 0n ? Number(value.value) : undefined
  );
  // Some exporters write "no dimensions", which means a scalar, where they don't know them.
  return shape?.length === 0 ? undefined : shape;
}

/** Operators whose result has the shape of their first input. */
const ELEMENTWISE = [
  ...["Abs", "BatchNormalization", "Cast", "Ceil", "Celu", "Clip", "DequantizeLinear", "Dropout"],
  ...["Elu", "Erf", "Exp", "Floor", "Gelu", "HardSigmoid", "HardSwish", "Hardmax", "Identity"],
  ...["InstanceNormalization", "LRN", "LayerNormalization", "LeakyRelu", "Log", "LogSoftmax"],
  ...["Mish", "Neg", "PRelu", "QuantizeLinear", "Reciprocal", "Relu", "Round", "Selu", "Sigmoid"],
  ...["Sign", "Softmax", "Softplus", "Softsign", "Sqrt", "Tanh", "ThresholdedRelu"],
];
/** Operators that broadcast their inputs against each other. */
const BROADCASTING = ["Add", "Sub", "Mul", "Div", "Pow", "Min", "Max", "Sum", "Mean", "Where"];
/** Operators that keep the rank, the batch and the channels. */
const POOLS = ["MaxPool", "AveragePool", "LpPool"];
const GLOBAL_POOLS = ["GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"];
const REDUCTIONS = ["ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceL2", "ReduceProd"];
/** Operators of which only the rank is the same. */
const RANK_KEEPERS = ["Pad", "Resize", "Upsample", "Split", "CumSum"];

function outputShape(
  node: NodeProto,
  inputs: readonly (Shape | undefined)[],
  index: GraphIndex,
): Shape | undefined {
  const [x, y] = inputs;
  if (isOperator(node, ...BROADCASTING)) return broadcast(inputs);
  if (isOperator(node, "Reshape")) return reshaped(node, { x, target: y }, index);
  if (x === undefined) return undefined;
  if (isOperator(node, ...ELEMENTWISE)) return x;
  if (isOperator(node, ...POOLS)) {
    const spatial = windowed(node, x.slice(2), intsAttribute(node, "kernel_shape") ?? []);
    return [...x.slice(0, 2), ...spatial];
  }
  if (isOperator(node, ...GLOBAL_POOLS)) return x.map((dim, axis) => axis < 2 ? dim : 1);
  if (isOperator(node, ...RANK_KEEPERS)) return x.map(() => undefined);
  if (isOperator(node, ...REDUCTIONS)) return reduced(node, x, index);
  if (isOperator(node, "Flatten")) return flattened(x, intAttribute(node, "axis", 1));
  if (isOperator(node, "Shape") && node.attribute.length === 0) return [x.length];
  if (isOperator(node, "Slice")) return sliced(node, x, index);
  if (isOperator(node, "Concat")) return concatenated(inputs, intAttribute(node, "axis", 0));
  if (isOperator(node, "Unsqueeze")) return unsqueezed(node, x, index);
  if (isOperator(node, "Squeeze")) {
    const axes = axesOf(node, x.length, index);
    return axes && x.filter((_, axis) => !axes.includes(axis));
  }
  if (isOperator(node, "Gather") && y !== undefined) {
    const axis = intAttribute(node, "axis", 0);
    const at = axis < 0 ? axis + x.length : axis;
    return [...x.slice(0, at), ...y, ...x.slice(at + 1)];
  }
  if (isOperator(node, "Transpose")) {
    const perm = intsAttribute(node, "perm") ?? x.map((_, axis) => x.length - 1 - axis);
    return perm.map((axis) => x[axis]);
  }
  if (isOperator(node, "Conv", "ConvTranspose") && y !== undefined) {
    const group = intAttribute(node, "group", 1);
    const channels = node.opType === "Conv" ? y[0] : y[1] === undefined ? undefined : y[1] * group;
    const spatial = node.opType === "Conv"
      ? windowed(node, x.slice(2), y.slice(2))
      : x.slice(2).map(() => undefined);
    return [x[0], channels, ...spatial];
  }
  if (isOperator(node, "Gemm") && y !== undefined) {
    const m = intAttribute(node, "transA", 0) === 0 ? x[0] : x[1];
    return [m, intAttribute(node, "transB", 0) === 0 ? y[1] : y[0]];
  }
  if (isOperator(node, "MatMul") && y !== undefined && x.length >= 2 && y.length >= 2) {
    const batches = broadcast([x.slice(0, -2), y.slice(0, -2)]);
    return batches && [...batches, x.at(-2), y.at(-1)];
  }
  return undefined;
}

/**
 * Spatial sizes behind a window that moves over its input (ONNX, Conv and the pools). Sizes rounded up, as `ceil_mode`
 * wants, aren't known here.
 */
function windowed(node: NodeProto, input: Shape, kernel: Shape): Shape {
  const strides = intsAttribute(node, "strides") ?? [];
  const dilations = intsAttribute(node, "dilations") ?? [];
  const pads = intsAttribute(node, "pads") ?? [];
  const autoPad = stringAttribute(node, "auto_pad", "NOTSET");
  if (intAttribute(node, "ceil_mode", 0) !== 0) return input.map(() => undefined);
  return input.map((size, axis) => {
    const [window, stride] = [kernel[axis], strides[axis] ?? 1];
    if (size === undefined || window === undefined) return undefined;
    if (autoPad.startsWith("SAME")) return Math.ceil(size / stride);
    const padding = autoPad === "VALID" ? 0 : (pads[axis] ?? 0) + (pads[axis + input.length] ?? 0);
    const reach = (dilations[axis] ?? 1) * (window - 1) + 1;
    return Math.floor((size + padding - reach) / stride) + 1;
  });
}

function broadcast(shapes: readonly (Shape | undefined)[]): Shape | undefined {
  if (!shapes.every((shape) => shape !== undefined)) return undefined;
  const rank = Math.max(...shapes.map(({ length }) => length));
  return Array.from({ length: rank }, (_, axis) => {
    const dims = shapes.map((shape) => {
      const own = axis - rank + shape.length;
      return own < 0 ? 1 : shape[own];
    });
    const wide = dims.find((dim) => dim !== undefined && dim !== 1);
    return wide ?? (dims.every((dim) => dim === 1) ? 1 : undefined);
  });
}

function reshaped(
  node: NodeProto,
  { x, target }: { x: Shape | undefined; target: Shape | undefined },
  index: GraphIndex,
): Shape | undefined {
  const copiesZeros = intAttribute(node, "allowzero", 0) === 0;
  const sizes = constantNumbers(index, node.input[1])?.map((size, axis) =>
    size === -1 ? undefined : size === 0 && copiesZeros ? x?.[axis] : size
  );
  // A computed shape has a length at least, which is the rank.
  const [rank] = target ?? [];
  return sizes ?? (rank === undefined ? undefined : new Array<undefined>(rank).fill(undefined));
}

function concatenated(shapes: readonly (Shape | undefined)[], axis: number): Shape | undefined {
  const [first] = shapes;
  if (first === undefined) return undefined;
  const at = axis < 0 ? axis + first.length : axis;
  const sizes = shapes.map((shape) => shape?.[at]);
  return first.map((dim, i) => i === at ? sizes.reduce(add, 0) : dim);
}

function add(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? undefined : a + b;
}

/** A piece of a list, which is how computed shapes are taken apart; of anything else the rank only. */
function sliced(node: NodeProto, x: Shape, index: GraphIndex): Shape {
  const list = (input: number, name: string) =>
    constantNumbers(index, node.input[input]) ?? intsAttribute(node, name);
  const [starts, ends] = [list(1, "starts"), list(2, "ends")];
  const steps = (node.input[4] ?? "") === "" ? [1] : constantNumbers(index, node.input[4]);
  const isPlain = x.length === 1 && steps?.[0] === 1;
  const [length] = x;
  if (!isPlain || length === undefined || starts === undefined || ends === undefined) {
    return x.map(() => undefined);
  }
  const clamp = (at: number) => Math.min(Math.max(at < 0 ? at + length : at, 0), length);
  return [Math.max(clamp(ends[0]) - clamp(starts[0]), 0)];
}

/** Axes of Squeeze, Unsqueeze and reductions: an attribute in old opsets, later an input. */
function axesOf(node: NodeProto, rank: number, index: GraphIndex): number[] | undefined {
  const axes = constantNumbers(index, node.input[1]) ?? intsAttribute(node, "axes");
  return axes?.map((axis) => axis < 0 ? axis + rank : axis);
}

function reduced(node: NodeProto, x: Shape, index: GraphIndex): Shape | undefined {
  const isKept = intAttribute(node, "keepdims", 1) !== 0;
  const axes = axesOf(node, x.length, index);
  // Without axes all are reduced, or none, as another attribute says.
  if (axes === undefined) return isKept ? x.map(() => undefined) : undefined;
  return isKept
    ? x.map((dim, axis) => axes.includes(axis) ? 1 : dim)
    : x.filter((_, axis) => !axes.includes(axis));
}

function unsqueezed(node: NodeProto, x: Shape, index: GraphIndex): Shape | undefined {
  const count = (constantNumbers(index, node.input[1]) ?? intsAttribute(node, "axes"))?.length;
  const rank = x.length + (count ?? 0);
  const axes = axesOf(node, rank, index);
  if (axes === undefined) return undefined;
  const left = [...x];
  return Array.from({ length: rank }, (_, axis) => axes.includes(axis) ? 1 : left.shift());
}

function flattened(x: Shape, axis: number): Shape {
  const product = (dims: Shape) =>
    dims.reduce((a, b) => a === undefined || b === undefined ? undefined : a * b, 1);
  const split = axis < 0 ? axis + x.length : axis;
  return [product(x.slice(0, split)), product(x.slice(split))];
}
