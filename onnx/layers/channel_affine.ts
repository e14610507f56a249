/**
 * Nodes that compute y = factor · x + offset with constants per channel: BatchNormalization at
 * inference, and Mul, Div, Add and Sub with a constant, which is how TensorFlow exports write it.
 *
 * @module
 */
import type { NodeProto } from "../file/onnx_pb.ts";
import { constantFloats, type FloatConstant } from "../graph/constant_value.ts";
import type { GraphIndex } from "../graph/graph_index.ts";
import { floatAttribute, intAttribute, isOperator } from "../graph/node.ts";

/** An affine map per channel, in float64. */
export interface Affine {
  readonly factor: Float64Array;
  readonly offset: Float64Array;
}

/** What is known of the tensor that a node maps. */
export interface ChannelAxis {
  /** Number of channels. */
  readonly channels: number;
  /** Channel axis counted from the end. */
  readonly axis: number;
  /** Rank where known. */
  readonly rank?: number;
  /** The rank is at least this. */
  readonly minRank: number;
  /** Whether the tensor surely has that many channels, and not one that a constant would spread. */
  readonly hasChannels: boolean;
}

/** The map that changes nothing. */
export function identityAffine(channels: number): Affine {
  return { factor: new Float64Array(channels).fill(1), offset: new Float64Array(channels) };
}

/** `second` after `first`: s₂·(s₁·x + t₁) + t₂ = (s₂·s₁)·x + (s₂·t₁ + t₂). */
export function composeAffine(first: Affine, second: Affine): Affine {
  return {
    factor: first.factor.map((s, c) => second.factor[c] * s),
    offset: first.offset.map((t, c) => second.factor[c] * t + second.offset[c]),
  };
}

/** Whether a map only scales. */
export function hasNoOffset({ offset }: Affine): boolean {
  return offset.every((t) => t === 0);
}

/** Name of the tensor that a node of this kind maps: the one input that isn't constant. */
export function mappedInput(node: NodeProto, index: GraphIndex): string | undefined {
  if (isOperator(node, "BatchNormalization")) return node.input[0];
  if (!isOperator(node, "Mul", "Div", "Add", "Sub")) return;
  const variable = node.input.filter((name) => !index.initializers.has(name));
  return variable.length === 1 ? variable[0] : undefined;
}

/**
 * The map that a node applies to a tensor with these channels; undefined for other nodes, for
 * constants that aren't per channel, and for constants that would change the shape.
 */
export function channelAffine(
  node: NodeProto,
  at: ChannelAxis,
  index: GraphIndex,
): Affine | undefined {
  const affine = isOperator(node, "BatchNormalization")
    ? batchNormAffine(node, at, index)
    : arithmeticAffine(node, at, index);
  if (affine === undefined) return;
  const isSound = affine.factor.every(Number.isFinite) && affine.offset.every(Number.isFinite);
  return isSound ? affine : undefined;
}

/** s = γ/√(σ² + ε), t = β − μ·s. */
function batchNormAffine(
  norm: NodeProto,
  { channels, axis, rank }: ChannelAxis,
  index: GraphIndex,
): Affine | undefined {
  // Its channels are axis 1.
  if (rank === undefined || axis !== 1 - rank) return;
  if (intAttribute(norm, "training_mode", 0) !== 0) return;
  // `spatial = 0` (before opset 9) normalises per element, not per channel.
  if (intAttribute(norm, "spatial", 1) !== 1) return;
  if (norm.output.slice(1).some((name) => index.consumers.has(name) || index.outputs.has(name))) {
    return;
  }
  const [gamma, beta, mean, variance] = norm.input.slice(1).map((name) =>
    constantFloats(index, name)
  );
  if (!gamma || !beta || !mean || !variance || gamma.data.length !== channels) return;
  const epsilon = floatAttribute(norm, "epsilon", 1e-5);
  const factor = Float64Array.from(gamma.data, (g, c) => g / Math.sqrt(variance.data[c] + epsilon));
  const offset = Float64Array.from(beta.data, (b, c) => b - mean.data[c] * factor[c]);
  return { factor, offset };
}

function arithmeticAffine(
  node: NodeProto,
  at: ChannelAxis,
  index: GraphIndex,
): Affine | undefined {
  const mapped = mappedInput(node, index);
  if (mapped === undefined) return;
  const isFirst = node.input[0] === mapped;
  const constant = constantFloats(index, node.input[isFirst ? 1 : 0]);
  const values = constant && perChannel(constant, at);
  if (values === undefined) return;
  const { factor: one, offset: zero } = identityAffine(at.channels);
  switch (node.opType) {
    case "Mul":
      return { factor: values, offset: zero };
    case "Div":
      return isFirst ? { factor: values.map((v) => 1 / v), offset: zero } : undefined;
    case "Add":
      return { factor: one, offset: values };
    default:
      return isFirst
        ? { factor: one, offset: values.map((v) => -v) }
        : { factor: one.map((v) => -v), offset: values };
  }
}

/** A constant spread over the channels, when broadcasting it varies along the channel axis only. */
function perChannel(
  { dims, data }: FloatConstant,
  { channels, axis, minRank, hasChannels }: ChannelAxis,
): Float64Array | undefined {
  if (dims.length > minRank) return;
  const isAlongChannels = dims.every((dim, i) =>
    dim === 1 || hasChannels && i - dims.length === axis && dim === channels
  );
  if (!isAlongChannels) return;
  return Float64Array.from({ length: channels }, (_, c) => data[data.length === 1 ? 0 : c]);
}
