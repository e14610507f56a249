/**
 * Whether the nodes and tensors of a file are what ONNX says they are, as far as rules of this project read them.
 * Checked once, where a model comes in: rules may then rely on lists of the right length and numbers of the right kind.
 * What isn't known here, custom operators above all, is left to the runtime.
 *
 * @module
 */
import { own } from "../../core/own.ts";
import {
  type AttributeProto,
  AttributeProto_AttributeType,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  type TensorProto,
} from "./onnx_pb.ts";
import { PlimsollError } from "../../core/errors.ts";
import { checkTensor } from "./check_tensor.ts";

const { FLOAT, INT, INTS, STRING, UNDEFINED } = AttributeProto_AttributeType;

const kinds = (type: AttributeProto_AttributeType, names: string) =>
  names.split(" ").map((name) => [name, type] as const);

/** Kinds of the attributes that rules read; their names mean the same in every operator of the default set. */
const KINDS: ReadonlyMap<string, AttributeProto_AttributeType> = new Map([
  ...kinds(
    INT,
    "allowzero axis batch_dims block_size blocksize ceil_mode count_include_pad end group hidden_size is_test keepdims " +
      "layout noop_with_empty_axes num_outputs output_datatype output_dtype select_last_index spatial start stash_type " +
      "to training_mode transA transB",
  ),
  ...kinds(INTS, "axes dilations ends kernel_shape output_padding pads perm split starts strides"),
  ...kinds(FLOAT, "alpha beta epsilon gamma momentum ratio"),
  ...kinds(STRING, "approximate auto_pad direction equation mode nearest_mode"),
]);

/** Inputs that operators can't do without, where rules read them by number. */
const NEEDED: Readonly<Record<string, number>> = {
  Add: 2,
  BatchNormalization: 5,
  Conv: 2,
  ConvTranspose: 2,
  DequantizeLinear: 2,
  Div: 2,
  Gemm: 2,
  MatMul: 2,
  Mul: 2,
  Pow: 2,
  QuantizeLinear: 2,
  Sub: 2,
};

/** Layers whose window lies over the weights, by the number of that input; pools have none. */
const WINDOWS: Readonly<Record<string, number | undefined>> = {
  Conv: 1,
  ConvTranspose: 1,
  ConvInteger: 1,
  QLinearConv: 3,
  AveragePool: undefined,
  LpPool: undefined,
  MaxPool: undefined,
};

/** Deepest nesting of sub-graphs; exporters write two or three. */
const MAX_DEPTH = 32;

/**
 * Checks a model's graph with its sub-graphs, and its functions.
 *
 * @throws {PlimsollError} kind `model`, naming node or tensor.
 */
export function checkGraph({ graph, functions }: ModelProto): void {
  if (graph !== undefined) checkInner(graph, 0);
  for (const { node } of functions) for (const entry of node) checkNode(entry, new Map(), 0);
}

function checkInner(graph: GraphProto, depth: number): void {
  if (depth > MAX_DEPTH) {
    throw new PlimsollError("model", {
      action: `reading graph ${JSON.stringify(graph.name)}`,
      wanted: `sub-graphs in at most ${MAX_DEPTH} others`,
      found: "one deeper inside",
      remedy: "Check the model with onnx.checker and export it again",
    });
  }
  checkNames(graph);
  for (const tensor of graph.initializer) checkTensor(tensor);
  for (const { values, indices } of graph.sparseInitializer) {
    if (values !== undefined) checkTensor(values);
    if (indices !== undefined) checkTensor(indices);
  }
  const constants = new Map(graph.initializer.map((tensor) => [tensor.name, tensor]));
  for (const node of graph.node) checkNode(node, constants, depth);
}

/** The one name that objects don't keep, those among them that the runtime takes and gives tensors in. */
const LOST_NAME = "__proto__";

function checkNames({ name, input, initializer, node }: GraphProto): void {
  const made = node.flatMap(({ output }) => output);
  const attributes = node.flatMap(({ attribute }) => attribute.map((entry) => entry.name));
  const given = [...input, ...initializer].map((entry) => entry.name);
  if (![...given, ...made, ...attributes].includes(LOST_NAME)) return;
  throw new PlimsollError("model", {
    action: `reading graph ${JSON.stringify(name)}`,
    wanted: "tensors and attributes with names that JavaScript can keep",
    found: JSON.stringify(LOST_NAME),
    remedy: "Give it another name",
  });
}

type Fail = (wanted: string, found: string) => PlimsollError;

function checkNode(
  node: NodeProto,
  constants: ReadonlyMap<string, TensorProto>,
  depth: number,
): void {
  const fail: Fail = (wanted, found) =>
    new PlimsollError("model", {
      action: `reading node ${node.opType} ${JSON.stringify(node.name || (node.output[0] ?? ""))}`,
      wanted,
      found,
      remedy: "Check the model with onnx.checker and export it again",
    });
  if (node.output.length === 0) throw fail("an output", "none");
  const isDefault = node.domain === "" || node.domain === "ai.onnx";
  for (const attribute of node.attribute) {
    const { name, type, t, tensors, g, graphs } = attribute;
    const kind = isDefault && attribute.refAttrName === "" ? KINDS.get(name) : undefined;
    if (kind !== undefined && type !== kind && type !== UNDEFINED) {
      throw fail(
        `attribute ${name} of kind ${AttributeProto_AttributeType[kind]}`,
        AttributeProto_AttributeType[type] ?? `number ${type}`,
      );
    }
    for (const tensor of t === undefined ? tensors : [t, ...tensors]) checkTensor(tensor);
    for (const inner of g === undefined ? graphs : [g, ...graphs]) checkInner(inner, depth + 1);
  }
  if (!isDefault) return;
  const needed = own(NEEDED, node.opType) ?? 0;
  for (let i = 0; i < needed; i++) {
    if (!node.input[i]) throw fail(`${needed} inputs`, `no input ${i}`);
  }
  const attribute = (name: string) => node.attribute.find((entry) => entry.name === name);
  const dims = (input: number) => constants.get(node.input[input])?.dims;
  if (Object.hasOwn(WINDOWS, node.opType)) {
    checkWindow(attribute, dims(own(WINDOWS, node.opType) ?? -1), fail);
  }
  if (node.opType === "Gemm") {
    for (const input of [0, 1, 2]) {
      const shape = dims(input);
      if (shape === undefined) continue;
      if (input < 2 ? shape.length !== 2 : shape.length > 2) {
        throw fail(`a matrix as input ${input}`, `a constant of shape [${shape}]`);
      }
    }
  }
  if (node.opType === "BatchNormalization") {
    const shapes = [1, 2, 3, 4].map(dims).filter((shape) => shape !== undefined);
    const odd = shapes.find((shape) => `${shape}` !== `${shapes[0]}`);
    if (odd !== undefined) {
      throw fail(`scale, bias, mean and variance of one shape`, `[${shapes[0]}] and [${odd}]`);
    }
  }
  if (/^(Quantize|Dequantize)Linear$/.test(node.opType)) {
    const [scale, zero] = [dims(1), dims(2)];
    if (zero !== undefined && scale !== undefined && `${product(zero)}` !== `${product(scale)}`) {
      throw fail("as many zero points as scales", `[${zero}] for [${scale}]`);
    }
  }
  const perm = attribute("perm")?.ints;
  if (perm !== undefined && !perm.every((_, axis) => perm.includes(BigInt(axis)))) {
    throw fail("perm with each axis once", `[${perm}]`);
  }
}

/** The lists of a Conv or pool have a number for each axis of its window. */
function checkWindow(
  attribute: (name: string) => AttributeProto | undefined,
  weight: readonly bigint[] | undefined,
  fail: Fail,
): void {
  if (weight !== undefined && weight.length < 3) {
    throw fail("weights of three axes or more", `shape [${weight}]`);
  }
  const kernel = attribute("kernel_shape")?.ints;
  const size = weight?.slice(2);
  const isKernel = kernel !== undefined && kernel.length > 0;
  if (size !== undefined && isKernel && `${kernel}` !== `${size}`) {
    throw fail(`kernel_shape [${size}], as its weights have`, `[${kernel}]`);
  }
  const rank = size?.length ?? (isKernel ? kernel.length : undefined);
  const list = (name: string, count: number | undefined, least: bigint) => {
    const values = attribute(name)?.ints;
    if (values === undefined || values.length === 0) return;
    if (count !== undefined && values.length !== count) {
      throw fail(`${name} with ${count} numbers`, `[${values}]`);
    }
    const isOdd = (value: bigint) => value < least || value > MAX_WINDOW;
    if (values.some(isOdd)) throw fail(`${name} from ${least} on`, `[${values}]`);
  };
  list("kernel_shape", rank, 1n);
  list("strides", rank, 1n);
  list("dilations", rank, 1n);
  // Negative ones crop, which some runtimes do.
  list("pads", rank && 2 * rank, -MAX_WINDOW);
  const group = attribute("group")?.i ?? 1n;
  if (group < 1n || weight !== undefined && (weight[0] % group !== 0n || weight[0] === 0n)) {
    throw fail("a group that divides the channels", `group ${group}`);
  }
}

/** Largest size of a window that makes sense. */
const MAX_WINDOW = 2n ** 31n;

function product(dims: readonly bigint[]): bigint {
  return dims.reduce((a, b) => a * b, 1n);
}
