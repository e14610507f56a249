/**
 * Pairs of linear layers with nothing but an activation function between them.
 *
 * @module
 */
import type { NodeProto } from "../file/onnx_pb.ts";
import type { RewriteInProgress } from "../layers/fold_layers.ts";
import { type GraphIndex, onlyReader } from "../graph/graph_index.ts";
import { type LinearLayer, linearLayer } from "../layers/linear_layer.ts";
import { intAttribute } from "../graph/node.ts";
import { viewNode } from "../graph/node_view.ts";
import { clampRange, homogeneityOf } from "../operators/operators.ts";

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
 * Finds all pairs whose output channels are the other's input channels: linked directly or by one function that is
 * linear on both sides of 0 (Relu, LeakyRelu, PRelu …) or a Clip from 0, with no other reader on the way and no output
 * of the model.
 */
export function layerPairs(
  { index, shapes }: Pick<RewriteInProgress, "index" | "shapes">,
): LayerPair[] {
  const pairs: LayerPair[] = [];
  for (const node of index.nodes) {
    const first = linearLayer(node, index, shapes);
    if (first === undefined) continue;
    const link = linkBehind(node.output[0], index);
    const reader = onlyDataReader(link.tensor, index);
    const second = reader && linearLayer(reader, index, shapes);
    if (second !== undefined && haveSameChannels(first, second)) {
      pairs.push({ first, second, ...link });
    }
  }
  return pairs;
}

/** The tensor behind the activation that reads a tensor; the tensor itself where none does. */
function linkBehind(tensor: string, index: GraphIndex): Pick<LayerPair, "tensor" | "bound"> {
  const reader = onlyDataReader(tensor, index);
  const bound = reader && homogeneousUpTo(reader, index);
  return reader === undefined || bound === undefined
    ? { tensor, bound: Infinity }
    : { tensor: reader.output[0], bound };
}

/** The node that reads a tensor as its first input, when nothing else does. */
function onlyDataReader(tensor: string, index: GraphIndex): NodeProto | undefined {
  const reader = onlyReader(tensor, index);
  return reader?.input.lastIndexOf(tensor) === 0 ? reader : undefined;
}

/** Result up to which a factor passes a node; undefined for operators that it doesn't pass. */
function homogeneousUpTo(node: NodeProto, index: GraphIndex): number | undefined {
  const view = viewNode(node);
  if (homogeneityOf(view, index) === "elements") return Infinity;
  const [low, high] = clampRange(view, index) ?? [];
  return low === 0 && high! > 0 ? high : undefined;
}

function haveSameChannels(first: LinearLayer, second: LinearLayer): boolean {
  // Transposed, the channels of the input are another axis.
  return intAttribute(second.node, "transA", 0) === 0 && first.axis === second.axis &&
    first.channels.output === second.channels.input;
}
