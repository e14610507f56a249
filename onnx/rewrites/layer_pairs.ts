/**
 * Pairs of linear layers with nothing but an activation function between them.
 *
 * @module
 */
import type { NodeProto } from "onnx-buf";
import { clipBounds } from "../operators/clip_bounds.ts";
import type { Workshop } from "../layers/fold_layers.ts";
import type { GraphIndex } from "../graph/graph_index.ts";
import { type LinearLayer, linearLayer } from "../layers/linear_layer.ts";
import { intAttribute, isOperator } from "../graph/node.ts";

/** Two layers, the second the only reader of the first. */
export interface LayerPair {
  readonly first: LinearLayer;
  readonly second: LinearLayer;
  /** The tensor that the second reads. */
  readonly tensor: string;
  /** Where the activation between them clips; infinite where it doesn't. */
  readonly bound: number;
}

/**
 * Activations that a positive factor of each channel passes: linear on both sides of 0. A slope of PRelu
 * belongs to an element, whatever its factor.
 */
const HOMOGENEOUS = ["Relu", "LeakyRelu", "PRelu"];

/**
 * Finds all pairs whose output channels are the other's input channels: linked directly or by one Relu,
 * LeakyRelu, PRelu or Clip from 0, with no other reader on the way and no output of the model.
 */
export function layerPairs({ index, shapes }: Pick<Workshop, "index" | "shapes">): LayerPair[] {
  const pairs: LayerPair[] = [];
  for (const node of index.nodes) {
    const first = linearLayer(node, index, shapes);
    if (first === undefined) continue;
    const link = linkBehind(node.output[0], index);
    const reader = onlyReader(link.tensor, index);
    const second = reader && linearLayer(reader, index, shapes);
    if (second !== undefined && haveSameChannels(first, second)) {
      pairs.push({ first, second, ...link });
    }
  }
  return pairs;
}

/** The tensor behind the activation that reads a tensor; the tensor itself where none does. */
function linkBehind(tensor: string, index: GraphIndex): Pick<LayerPair, "tensor" | "bound"> {
  const reader = onlyReader(tensor, index);
  const bound = reader && homogeneousUpTo(reader, index);
  return reader === undefined || bound === undefined
    ? { tensor, bound: Infinity }
    : { tensor: reader.output[0], bound };
}

/** The node that reads a tensor as its first input, when nothing else does. */
function onlyReader(tensor: string, index: GraphIndex): NodeProto | undefined {
  const readers = index.consumers.get(tensor) ?? [];
  const isOnly = readers.length === 1 && !index.outputs.has(tensor) &&
    readers[0].input.lastIndexOf(tensor) === 0;
  return isOnly ? readers[0] : undefined;
}

/** Result up to which a factor passes a node; undefined for operators that it doesn't pass. */
function homogeneousUpTo(node: NodeProto, index: GraphIndex): number | undefined {
  if (isOperator(node, ...HOMOGENEOUS)) return Infinity;
  const bounds = clipBounds(node, index);
  return bounds?.low === 0 && bounds.high > 0 ? bounds.high : undefined;
}

function haveSameChannels(first: LinearLayer, second: LinearLayer): boolean {
  // Transposed, the channels of the input are another axis.
  return intAttribute(second.node, "transA", 0) === 0 && first.axis === second.axis &&
    first.channels.output === second.channels.input;
}
