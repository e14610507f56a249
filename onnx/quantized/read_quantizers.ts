/**
 * The quantizers of a QDQ model, read out of its QuantizeLinear and DequantizeLinear: Plimsoll's own models and those
 * of other tools.
 *
 * @module
 */
import { type NodeProto, type TensorProto, TensorProto_DataType } from "../file/onnx_pb.ts";
import { CODE_LIMITS, readCodes } from "./codes.ts";
import { constantFloats } from "../graph/constant_value.ts";
import { type GraphIndex, indexGraph } from "../graph/graph_index.ts";
import type { Model } from "../file/model.ts";
import { intAttribute, isOperator, nodeName } from "../graph/node.ts";
import { viewNode } from "../graph/node_view.ts";
import { clampRange } from "../operators/operators.ts";
import { dimensions } from "../file/tensor.ts";

/** A grid of codes; real value = scale · (code − zero point). */
interface QuantizerGrid {
  /** Type of the codes, as `uint8`. */
  readonly type: string;
  /** Bits that the codes in use need, those that a Clip leaves, or that constants have; at most those of the type. */
  readonly bits: number;
  /** Whether a code stands for a value below zero. */
  readonly signed: boolean;
  /** Real units per step: one, one for each place on the axis, or one a block. */
  readonly scales: readonly number[];
  /** Code of zero; as many as scales. */
  readonly zeroPoints: readonly number[];
  /** Axis of the scales; null where one is for the whole tensor. */
  readonly axis: number | null;
}

/** Quantizer of an activation. */
export interface ActivationQuantizer extends QuantizerGrid {
  /** What the tensor is called: the shorter of the names that it has before and after. */
  readonly tensor: string;
  /** Node that computes it; null for an input of the model. */
  readonly producer: { readonly op: string; readonly node: string } | null;
  /** The tensor that is quantized. */
  readonly float: string;
  /** What readers get: outputs of DequantizeLinear. */
  readonly dequantized: readonly string[];
  /** Least and greatest code, after Clips. */
  readonly codes: readonly [number, number];
  /** Least and greatest real value: of several scales those of the widest. */
  readonly range: readonly [number, number];
}

/** Quantizer of a constant. */
export interface ConstantQuantizer extends QuantizerGrid {
  /** What the tensor is called, without the ending that the tool gave its codes. */
  readonly tensor: string;
  /** The node that reads it. */
  readonly node: string;
  /** Operator of that node. */
  readonly op: string;
  /** Number of the node's input. */
  readonly input: number;
  /** Dimensions of the constant. */
  readonly shape: readonly number[];
  /** Elements along the axis that share a scale; null where those of the whole place do. */
  readonly blockSize: number | null;
}

/** All quantizers of a model. */
export interface Quantizers {
  /** In topological order. */
  readonly activations: readonly ActivationQuantizer[];
  /** Weights and biases, in the order of the nodes that read them. */
  readonly constants: readonly ConstantQuantizer[];
}

/** Endings of the codes of a constant: Plimsoll's, and those of ONNX Runtime's tools. */
const CODE_ENDINGS = /(\/quantized|_quantized|_DequantizeLinear_Output)$/;

/** Reads the quantizers of a model; a model without any has empty lists. Those whose grid isn't constant are left out. */
export function readQuantizers({ graph }: Model): Quantizers {
  const index = indexGraph(graph);
  const activations: ActivationQuantizer[] = [];
  for (const node of index.nodes) {
    if (node.opType !== "QuantizeLinear" || index.initializers.has(node.input[0])) continue;
    const found = readActivation(node, index);
    if (found !== undefined) activations.push(found);
  }
  return {
    activations,
    constants: index.nodes.flatMap((node) =>
      node.opType === "DequantizeLinear" ? [] : readConstants(node, index)
    ),
  };
}

function readActivation(node: NodeProto, index: GraphIndex): ActivationQuantizer | undefined {
  const grid = readGrid(node, index);
  const limits = grid && CODE_LIMITS[grid.dataType];
  if (grid === undefined || limits === undefined) return undefined;
  const { float, scales, zeroPoints } = { float: node.input[0], ...grid };
  let [least, most] = limits;
  const narrow = (low: number, high: number) => {
    [least, most] = [Math.max(least, low), Math.min(most, high)];
  };
  const producer = index.producers.get(float);
  const clamp = producer?.opType === "Clip" ? clampRange(viewNode(producer), index) : undefined;
  if (clamp !== undefined && scales.length === 1) {
    const [low, high] = clamp.map((bound) => Math.round(bound / scales[0]) + zeroPoints[0]);
    narrow(low, high);
  }
  const dequantized: string[] = [];
  const follow = (codes: string) => {
    for (const reader of index.consumers.get(codes) ?? []) {
      if (reader.opType === "DequantizeLinear") dequantized.push(reader.output[0]);
      if (!isOperator(reader, "Clip") || reader.input[0] !== codes) continue;
      const [low, high] = reader.input.slice(1).map((name) => {
        const bound = index.initializers.get(name);
        return bound && readCodes(bound)?.[0];
      });
      narrow(low ?? -Infinity, high ?? Infinity);
      follow(reader.output[0]);
    }
  };
  follow(node.output[0]);
  const values = [least, most].map((code) =>
    scales.map((scale, i) => scale * (code - zeroPoints[i]))
  );
  const range = [Math.min(...values[0]), Math.max(...values[1])] as const;
  // Whatever a tool calls the other end is made from the name that the tensor had.
  const [tensor] = [float, ...dequantized].toSorted((a, b) => a.length - b.length);
  return {
    tensor,
    producer: producer === undefined ? null : realProducer(producer, index),
    float,
    dequantized,
    codes: [least, most],
    range,
    type: grid.type,
    bits: Math.ceil(Math.log2(most - least + 1)),
    signed: range[0] < 0,
    scales,
    zeroPoints,
    axis: grid.axis,
  };
}

/** The node that computes a tensor: one before a Clip that only emission has put there. */
function realProducer(node: NodeProto, index: GraphIndex) {
  const before = node.output[0].endsWith("/clipped") && isOperator(node, "Clip")
    ? index.producers.get(node.input[0])
    : undefined;
  const real = before ?? node;
  return { op: real.opType, node: nodeName(real) };
}

function readConstants(node: NodeProto, index: GraphIndex): ConstantQuantizer[] {
  return node.input.flatMap((name, input) => {
    const dequantize = index.producers.get(name);
    if (dequantize?.opType !== "DequantizeLinear") return [];
    // Some tools leave float weights, with QuantizeLinear behind them.
    const quantize = index.producers.get(dequantize.input[0]);
    const codes = index.initializers.get(quantize?.input[0] ?? dequantize.input[0]);
    const grid = codes && readGrid(quantize ?? dequantize, index);
    if (codes === undefined || grid === undefined) return [];
    const block = intAttribute(dequantize, "block_size", 0);
    return [{
      tensor: codes.name.replace(CODE_ENDINGS, ""),
      node: nodeName(node),
      op: node.opType,
      input,
      shape: dimensions(codes),
      type: grid.type,
      bits: bitsOf(codes, grid.dataType),
      signed: grid.zeroPoints.some((zero) => zero > (CODE_LIMITS[grid.dataType]?.[0] ?? -Infinity)),
      scales: grid.scales,
      zeroPoints: grid.zeroPoints,
      axis: grid.axis === null || grid.axis >= 0 ? grid.axis : grid.axis + codes.dims.length,
      blockSize: block === 0 ? null : block,
    }];
  });
}

/** Bits of the smallest type around the middle of this one that holds all codes; those of the type for floats. */
function bitsOf(tensor: TensorProto, dataType: number): number {
  const limits = CODE_LIMITS[dataType];
  if (limits === undefined) return 32;
  const [least, most] = limits;
  const codes = readCodes(tensor);
  if (codes === undefined) return Math.log2(most - least + 1);
  const middle = (least + most + 1) / 2;
  let reach = 1;
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i] - middle;
    reach = Math.max(reach, code < 0 ? -code : code + 1);
  }
  return 1 + Math.ceil(Math.log2(reach));
}

/** Grid of a QuantizeLinear or DequantizeLinear; undefined where it isn't constant. */
function readGrid(node: NodeProto, index: GraphIndex) {
  const scale = constantFloats(index, node.input[1]);
  const zeroName = node.input[2] ?? "";
  const zero = index.initializers.get(zeroName);
  if (scale === undefined || zeroName !== "" && zero === undefined) return undefined;
  const zeroPoints = zero === undefined ? [] : Array.from(readCodes(zero) ?? []);
  const declared = intAttribute(node, "output_dtype", 0);
  const source = index.initializers.get(node.input[0])?.dataType;
  const dataType = zero?.dataType ?? source ??
    (declared === 0 ? TensorProto_DataType.UINT8 : declared as TensorProto_DataType);
  return {
    dataType,
    type: typeName(dataType),
    scales: Array.from(scale.data),
    zeroPoints: Array.from(scale.data, (_, i) => zeroPoints[i] ?? 0),
    axis: scale.data.length === 1 ? null : intAttribute(node, "axis", 1),
  };
}

function typeName(type: TensorProto_DataType): string {
  return TensorProto_DataType[type].toLowerCase();
}
