/**
 * Folding of BatchNormalization, and of Mul, Div, Add and Sub with constants, into the layer before
 * them.
 *
 * @module
 */
import type { NodeProto } from "../file/onnx_pb.ts";
import {
  type Affine,
  channelAffine,
  composeAffine,
  hasNoOffset,
  identityAffine,
  mappedInput,
} from "../layers/channel_affine.ts";
import { type Fold, foldLayers, type RewriteInProgress } from "../layers/fold_layers.ts";
import type { GraphIndex } from "../graph/graph_index.ts";
import { changeLayer, layerBias, type LinearLayer } from "../layers/linear_layer.ts";
import type { Model } from "../file/model.ts";
import { makeNode, nodeName } from "../graph/node.ts";
import { makeTensor } from "../file/tensor.ts";

/** A node after a layer, with the map from the layer's output to its own. */
interface Link {
  readonly node: NodeProto;
  readonly total: Affine;
}

/**
 * Folds the affine nodes that follow a layer, each the only reader of the one before it:
 *
 *     s·(W·x + b) + t  =  (s·W)·x + (s·b + t)
 *
 * All of them together are computed in float64 and rounded once to float32. The result keeps the name
 * of the last one's output. A MatMul of matrices becomes a Gemm when it gets a bias; one of higher
 * rank has no place for it, so there an Add stays.
 */
export function foldAffineAfter(model: Model): Model {
  return foldLayers(
    model,
    (layer, workshop) => foldChain(layer, chainAfter(layer, workshop.index), workshop),
  );
}

/** The affine nodes behind a layer, nearest first. */
function chainAfter(layer: LinearLayer, index: GraphIndex): Link[] {
  const { axis, rank, minRank, channels: { output: channels } } = layer;
  const at = { channels, axis, rank, minRank, hasChannels: true };
  const chain: Link[] = [];
  let [tensor] = layer.node.output;
  let total = identityAffine(channels);
  for (;;) {
    const readers = index.consumers.get(tensor) ?? [];
    if (readers.length !== 1 || index.outputs.has(tensor)) return chain;
    const [node] = readers;
    const affine = mappedInput(node, index) === tensor ? channelAffine(node, at, index) : undefined;
    if (affine === undefined) return chain;
    total = composeAffine(total, affine);
    chain.push({ node, total });
    [tensor] = node.output;
  }
}

function foldChain(
  layer: LinearLayer,
  chain: readonly Link[],
  workshop: RewriteInProgress,
): Fold | undefined {
  const last = chain.at(-1);
  const bias = layerBias(layer, workshop.index);
  if (last === undefined || bias === undefined) return;
  if (layer.takesBias || hasNoOffset(last.total)) return foldAll(layer, bias, chain, workshop);
  const scaling = chain.slice(0, chain.findIndex(({ total }) => !hasNoOffset(total)));
  const isOneAdd = chain.length === scaling.length + 1;
  return isOneAdd
    ? foldAll(layer, bias, scaling, workshop)
    : foldIntoAdd(layer, bias, chain, workshop);
}

/** The layer alone is left. */
function foldAll(
  layer: LinearLayer,
  bias: Float64Array,
  chain: readonly Link[],
  { index, newName }: RewriteInProgress,
): Fold | undefined {
  const last = chain.at(-1);
  if (last === undefined) return;
  const { factor, offset } = last.total;
  const [output] = last.node.output;
  const change = {
    outputFactor: factor,
    bias: bias.map((b, c) => b * factor[c] + offset[c]),
    output,
  };
  const changed = changeLayer(layer, change, { index, suffix: nodeName(last.node), newName });
  return changed && {
    remove: new Set(chain.map(({ node }) => node)),
    replace: new Map([[layer.node, changed.node]]),
    initializers: changed.initializers,
  };
}

/** The layer with the factors and one Add with the offsets are left. */
function foldIntoAdd(
  layer: LinearLayer,
  bias: Float64Array,
  chain: readonly Link[],
  { index, newName }: RewriteInProgress,
): Fold | undefined {
  const { node: last, total: { factor, offset } } = chain.at(-1)!;
  const suffix = nodeName(last);
  const scaled = newName(`${suffix}/scaled`);
  const change = { outputFactor: factor, bias, output: scaled };
  const changed = changeLayer(layer, change, { index, suffix, newName });
  const rounded = Float32Array.from(offset);
  if (changed === undefined || !rounded.every(Number.isFinite)) return;
  const constant = newName(`${suffix}/folded_bias`);
  const add = makeNode("Add", last.name, [scaled, constant], last.output);
  return {
    remove: new Set(chain.slice(0, -1).map(({ node }) => node)),
    replace: new Map([[layer.node, changed.node], [last, add]]),
    initializers: [...changed.initializers, makeTensor(constant, [rounded.length], rounded)],
  };
}
