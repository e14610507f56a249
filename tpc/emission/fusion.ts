/**
 * What became of each node in ONNX Runtime: the kernel that ran, whether it computes with integers,
 * and if not, why.
 *
 * The rules are those of ONNX Runtime's QDQ transformers (`qdq_selectors.cc`), as measured on
 * onnxruntime-web 1.30 on one thread of wasm; x64 has the same. They explain what a profile shows and
 * decide nothing.
 *
 * @module
 */
import { type NodeProto, TensorProto_DataType } from "../../onnx/file/onnx_pb.ts";
import { constantNumbers } from "../../onnx/graph/constant_value.ts";
import { foldConstantNodes } from "../../onnx/prepare/fold_constants.ts";
import { type GraphIndex, indexGraph } from "../../onnx/graph/graph_index.ts";
import { type Model, withFields } from "../../onnx/file/model.ts";
import {
  describeNode,
  floatAttribute,
  intAttribute,
  isOperator,
  stringAttribute,
} from "../../onnx/graph/node.ts";
import { viewNode } from "../../onnx/graph/node_view.ts";
import { runTimeArithmetic, whyRunTime } from "./run_time_kernels.ts";
import { dataInputs, operatorOf, weightSlot } from "../../onnx/operators/operators.ts";

/** A kernel that ran. */
export interface KernelRun {
  /** Node that it ran for, as the runtime calls it. */
  readonly node: string;
  /** Operator of the kernel, as QLinearConv. */
  readonly kernel: string;
  /** Element types of its inputs, as uint8; those left out are missing. */
  readonly inputs: readonly string[];
  /** Element types of its outputs. */
  readonly outputs: readonly string[];
  /** Time of the one run, which was a cold one. */
  readonly microseconds: number;
}

/** What a kernel computes with; `other` is neither codes nor floats, as shapes and masks are. */
export type Arithmetic = "integer" | "float" | "other";

/** A node of the model and what became of it. */
export interface NodeFusion {
  readonly node: string;
  readonly op: string;
  /** Kernel that ran; null when none did: the node went into another one, or was computed before. */
  readonly kernel: string | null;
  readonly arithmetic: Arithmetic | null;
  readonly microseconds: number;
  /** Why it computes in float, or why integers take more kernels than one; absent where neither is so. */
  readonly reason?: string;
}

/** A whole model. */
export interface Fusion {
  /** All nodes but constants and those that only make codes or floats of them, in topological order. */
  readonly nodes: readonly NodeFusion[];
  /** Convolutions and matrix products, which take nearly all of the time. */
  readonly linear: { readonly integer: number; readonly total: number };
  /** How often kernels ran that belong to no such node: conversions and Transposes in between. */
  readonly between: Readonly<Record<string, number>>;
}

/** Operators with an integer kernel that has its own output scale. */
const RESCALING = new Set([
  ...["Conv", "Gemm", "MatMul", "Add", "Mul", "Concat", "LeakyRelu", "Sigmoid", "Softmax"],
  ...["GlobalAveragePool", "AveragePool", "Where"],
]);
/** Operators that run on codes when the grids of input and output are the same. */
const PASSING = new Set([
  ...["MaxPool", "ReduceMax", "ReduceMin", "Reshape", "Transpose", "Squeeze", "Unsqueeze"],
  ...["Flatten", "Slice", "Split", "Gather", "GatherElements", "Tile", "Expand", "Resize"],
  ...["DepthToSpace", "ArgMax"],
]);
/** Integer kernels that give floats, and so need no quantizer behind them. */
const FREE_OUTPUT = new Set(["Gemm", "MatMul", "ArgMax"]);

const CODES = new Set(["uint8", "int8", "uint16", "int16", "uint4", "int4"]);
const FLOATS = new Set(["float", "float16", "double", "bfloat16"]);

/**
 * The model with a name of its own for each node, so that a profile's names lead back to the nodes.
 * Nodes without a name are called after their first output.
 */
export function nameNodes(model: Model): Model {
  const taken = new Set<string>();
  const node = model.graph.node.map((entry) => {
    const wish = entry.name || entry.output.find((name) => name !== "") || entry.opType;
    let name = wish;
    for (let n = 2; taken.has(name); n++) name = `${wish}_${n}`;
    taken.add(name);
    return name === entry.name ? entry : withFields(entry, { name });
  });
  return withFields<Model>(model, { graph: withFields(model.graph, { node }) });
}

/**
 * Explains what ran.
 *
 * @param model The model that was profiled, after {@linkcode nameNodes}.
 */
export function explainFusion(model: Model, kernels: readonly KernelRun[]): Fusion {
  const index = indexGraph(foldConstantNodes(model).graph);
  const names = new Set(index.nodes.map(({ name }) => name));
  const runs = new Map<string, KernelRun[]>();
  for (const run of kernels) {
    // The layout transformer makes new nodes, NAME_token_7 from NAME.
    const base = run.node.replace(/_token_\d+$/, "");
    const name = names.has(run.node) ? run.node : names.has(base) ? base : "";
    runs.set(name, [...runs.get(name) ?? [], run]);
  }
  const between: Record<string, number> = {};
  const note = ({ kernel }: KernelRun) => between[kernel] = (between[kernel] ?? 0) + 1;
  runs.get("")?.forEach(note);
  const nodes: NodeFusion[] = [];
  const linear: NodeFusion[] = [];
  for (const node of index.nodes) {
    const own = runs.get(node.name) ?? [];
    if (isQuantizer(node) || isDequantizer(node) || isOperator(node, "DynamicQuantizeLinear")) {
      own.forEach(note);
      continue;
    }
    const explained = explainNode(node, own, index);
    nodes.push(explained);
    if (operatorOf(viewNode(node))?.isLinear) linear.push(explained);
  }
  const integer = linear.filter(({ arithmetic }) => arithmetic === "integer").length;
  return { nodes, linear: { integer, total: linear.length }, between };
}

function explainNode(node: NodeProto, runs: readonly KernelRun[], index: GraphIndex): NodeFusion {
  const common = { node: node.name, op: node.opType };
  // Of the nodes that took this one's name the one with the most work is it.
  const [run] = runs.toSorted((a, b) => b.microseconds - a.microseconds);
  if (run === undefined) return { ...common, kernel: null, arithmetic: null, microseconds: 0 };
  const arithmetic = arithmeticOf(run);
  const reason = runTimeArithmetic(run.kernel) === undefined
    ? arithmetic === "float" ? whyFloat(node, index) : undefined
    : whyRunTime(node, run.kernel, index);
  return {
    ...common,
    kernel: run.kernel,
    arithmetic,
    microseconds: run.microseconds,
    ...(reason === undefined ? {} : { reason }),
  };
}

/** The first input that is codes or floats decides; masks and indices come before it at times. */
function arithmeticOf({ kernel, inputs }: KernelRun): Arithmetic {
  if (kernel.startsWith("QLinear")) return "integer";
  const known = runTimeArithmetic(kernel);
  if (known !== undefined) return known;
  const first = inputs.find((type) => CODES.has(type) || FLOATS.has(type));
  return first === undefined ? "other" : CODES.has(first) ? "integer" : "float";
}

/** Why a node of the graph runs in float: the first rule that it breaks. */
function whyFloat(node: NodeProto, index: GraphIndex): string {
  const op = node.opType;
  if (isOperator(node, "Max") && node.input.length === 1) {
    return "it copies, to keep ONNX Runtime from quantizing what stands behind it";
  }
  if (!RESCALING.has(op) && !PASSING.has(op)) return `${op} has no integer kernel`;
  const [data, weights] = splitInputs(node);
  return whyInputsFloat(data, index) ?? whyTypes(data, weights, index) ??
    whyAttributes(node) ?? whyWeights(weights, index) ?? whyOutputs(node, index) ??
    whyGrids(node, data, index) ?? whyBias(node, index) ??
    "ONNX Runtime took the float kernel, for a reason that isn't known here";
}

/** Names of the data that a node reads, and of its weights where it has some. */
function splitInputs(node: NodeProto): [data: string[], weights: string | undefined] {
  const view = viewNode(node);
  const slot = weightSlot(view);
  return slot === undefined
    ? [dataInputs(view), undefined]
    : [[node.input[0]], node.input[slot.input]];
}

function whyInputsFloat(data: readonly string[], index: GraphIndex): string | undefined {
  for (const name of data) {
    if (dequantizerOf(name, index) !== undefined) continue;
    if (index.initializers.has(name)) return `its constant ${quote(name)} is float`;
    const producer = index.producers.get(name);
    return `its input ${quote(name)} is float` +
      (producer ? `, from ${describeNode(producer)}` : "");
  }
  return undefined;
}

function whyTypes(
  data: readonly string[],
  weights: string | undefined,
  index: GraphIndex,
): string | undefined {
  const types = data.map((name) => codeType(dequantizerOf(name, index)!, index));
  const wide = types.find((type) => type.endsWith("16"));
  if (wide !== undefined) return `16-bit activations (${wide}): integer kernels take 8 bits`;
  const narrow = types.find((type) => type.endsWith("4"));
  if (narrow !== undefined) return `4-bit activations (${narrow}): integer kernels take 8 bits`;
  if (types.includes("int8")) {
    return "int8 activations: x64 and wasm have integer kernels for uint8 only";
  }
  if (new Set(types).size > 1) return `its inputs have different types (${types.join(", ")})`;
  const dequantizer = weights === undefined ? undefined : dequantizerOf(weights, index);
  const type = dequantizer && codeType(dequantizer, index);
  if (type?.endsWith("4")) return `4-bit weights (${type}): integer kernels take 8 bits`;
  if (type?.endsWith("16")) return `16-bit weights (${type}): integer kernels take 8 bits`;
  return undefined;
}

function whyAttributes(node: NodeProto): string | undefined {
  const { opType: op } = node;
  if (op === "Gemm") {
    for (const name of ["alpha", "beta"]) {
      const value = floatAttribute(node, name, 1);
      if (value !== 1) return `${name} is ${value}; QGemm wants 1`;
    }
    if (intAttribute(node, "transA", 0) !== 0) return "transA is set; QGemm wants it unset";
  }
  const mode = stringAttribute(node, "mode", "nearest");
  if (op === "Resize" && mode !== "nearest") return `${mode} Resize has no integer kernel`;
  return undefined;
}

function whyWeights(weights: string | undefined, index: GraphIndex): string | undefined {
  if (weights === undefined || dequantizerOf(weights, index) !== undefined) return undefined;
  // The second factor of a MatMul can be an activation, too.
  if (!index.initializers.has(weights)) return whyInputsFloat([weights], index);
  return `its weights ${quote(weights)} are float`;
}

/** Every edge behind an integer kernel must go to a quantizer. */
function whyOutputs(node: NodeProto, index: GraphIndex): string | undefined {
  if (FREE_OUTPUT.has(node.opType)) return undefined;
  for (const name of node.output) {
    if (name === "") continue;
    if (index.outputs.has(name)) {
      return `its output ${quote(name)} is an output of the model, and not quantized`;
    }
    for (const reader of index.consumers.get(name) ?? []) {
      if (isQuantizer(reader)) continue;
      const readers = index.consumers.get(reader.output[0]) ?? [];
      // It would vanish into a quantizer that clamps as it does.
      const isClamp = operatorOf(viewNode(reader))?.clamp !== undefined;
      if (isClamp && readers.some(isQuantizer)) {
        return `${
          describeNode(reader)
        } stands before its quantizer and clamps what the quantizer ` +
          "doesn't; a Clip on the codes would not be in the way";
      }
      return `its output ${quote(name)} is not quantized on every edge: ${
        describeNode(reader)
      } reads it`;
    }
  }
  return undefined;
}

function whyGrids(
  node: NodeProto,
  data: readonly string[],
  index: GraphIndex,
): string | undefined {
  const input = gridOf(dequantizerOf(data[0], index)!, index);
  for (const name of node.output) {
    for (const reader of index.consumers.get(name) ?? []) {
      if (!isQuantizer(reader)) continue;
      const output = gridOf(reader, index);
      if (input === undefined || output === undefined) {
        return "a scale or zero point is computed, not constant";
      }
      if (input.type !== output.type) {
        return `types of codes in and out differ (${input.type}, ${output.type})`;
      }
      if (!PASSING.has(node.opType)) continue;
      if (input.scales.length > 1 || output.scales.length > 1) {
        return "several scales for one tensor";
      }
      if (input.scales[0] !== output.scales[0] || input.zero !== output.zero) {
        return `scales or zero points in and out differ (${show(input)} and ${show(output)})`;
      }
    }
  }
  return undefined;
}

/** The runtime recognises an int32 bias by its scale: exactly input scale · weight scale. */
function whyBias(node: NodeProto, index: GraphIndex): string | undefined {
  if (node.opType !== "Conv" && node.opType !== "Gemm") return undefined;
  const [x, w, b] = node.input.map((name) => dequantizerOf(name, index));
  if (x === undefined || w === undefined || b === undefined) return undefined;
  const scale = gridOf(x, index)?.scales[0];
  const [weights, bias] = [gridOf(w, index)?.scales, gridOf(b, index)?.scales];
  if (scale === undefined || weights === undefined || bias === undefined) return undefined;
  const fits = weights.length === bias.length &&
    weights.every((s, i) => Math.fround(s * scale) === bias[i]);
  return fits ? undefined : "the scale of its bias is not input scale · weight scale";
}

/** A grid as its Q or DQ gives it. */
interface CodeGrid {
  readonly type: string;
  readonly scales: readonly number[];
  readonly zero: number;
}

/** Undefined when scale or zero point isn't constant. */
function gridOf(node: NodeProto, index: GraphIndex): CodeGrid | undefined {
  const scales = constantNumbers(index, node.input[1]);
  const zeros = node.input[2] ? constantNumbers(index, node.input[2]) : [0];
  if (scales === undefined || zeros === undefined) return undefined;
  return { type: codeType(node, index), scales, zero: zeros[0] };
}

/** Type of the codes of a Q or DQ, as the profiler writes it. */
function codeType(node: NodeProto, index: GraphIndex): string {
  const declared = index.initializers.get(node.input[2] ?? "")?.dataType ??
    index.initializers.get(node.input[0])?.dataType;
  if (declared !== undefined) return typeName(declared);
  const output = intAttribute(node, "output_dtype", 0);
  if (isQuantizer(node)) return output === 0 ? "uint8" : typeName(output);
  // Clips and the like may stand between a DQ without zero point and its Q.
  let producer = index.producers.get(node.input[0]);
  while (producer !== undefined && !isQuantizer(producer)) {
    producer = index.producers.get(producer.input[0]);
  }
  return producer === undefined ? "uint8" : codeType(producer, index);
}

function typeName(type: TensorProto_DataType): string {
  return (TensorProto_DataType[type] ?? String(type)).toLowerCase();
}

function dequantizerOf(name: string, index: GraphIndex): NodeProto | undefined {
  const producer = index.producers.get(name);
  return producer !== undefined && isDequantizer(producer) ? producer : undefined;
}

function isQuantizer({ opType }: NodeProto): boolean {
  return opType === "QuantizeLinear";
}

function isDequantizer({ opType }: NodeProto): boolean {
  return opType === "DequantizeLinear";
}

function quote(name: string): string {
  return JSON.stringify(name);
}

function show({ scales, zero }: CodeGrid): string {
  return `${scales[0]} around ${zero}`;
}
