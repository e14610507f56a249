/**
 * Bounds of ReLU6 and its like moved to a power of two, so that a power-of-two grid has no codes that
 * nothing uses.
 *
 * @module
 */
import type { NodeProto, TensorProto } from "../file/onnx_pb.ts";
import { powerOfTwoAtLeast } from "../../core/grid.ts";
import { editGraph } from "../graph/edit_graph.ts";
import type { RewriteInProgress } from "../layers/fold_layers.ts";
import { indexGraph } from "../graph/graph_index.ts";
import { inferShapes } from "../operators/infer_shapes.ts";
import { layersBehind } from "./layers_behind.ts";
import { type LinearLayer, linearLayer } from "../layers/linear_layer.ts";
import { type Model, withFields } from "../file/model.ts";
import { makeTensor } from "../file/tensor.ts";
import { constantFloats } from "../graph/constant_value.ts";
import { nameMaker } from "../graph/names.ts";
import { viewNode } from "../graph/node_view.ts";
import { clampRange, homogeneityOf } from "../operators/operators.ts";
import { type LayerFactors, LayerRescaling } from "./rescale_layers.ts";

/** One bound that moved. */
export interface ScaledBound {
  /** The tensor that the Clip makes; all its values have been multiplied by `to / from`. */
  readonly tensor: string;
  /** The bound before and after. */
  readonly from: number;
  readonly to: number;
}

/** The largest power of two of float32. */
const LARGEST_POWER = 2 ** 127;

/**
 * Scales each Clip(0, b) whose b is no power of two to the next one, B = s·b:
 *
 *     V·Clip(W·x + c, 0, b)  =  (V/s)·Clip((s·W)·x + s·c, 0, s·b)
 *
 * Under a power-of-two threshold ReLU6 would use 6 of 8 parts of the grid; scaled it uses all of them. On
 * EfficientNet-Lite0 that is worth 1 dB at 8 bits. MCT has the same as `relu_bound_to_power_of_2`.
 *
 * The layer in front must be read by the Clip only, and the Clip by linear layers only, directly or
 * through operators that a positive factor passes. Elsewhere the Clip stays as it is.
 */
export function scaleReluBounds(
  model: Model,
): { model: Model; scaled: readonly ScaledBound[] } {
  const index = indexGraph(model.graph);
  const shapes = inferShapes(model.graph, index);
  const workshop = { index, shapes, newName: nameMaker(model.graph) };
  const rescaling = new LayerRescaling(workshop);
  const clips = new Map<NodeProto, NodeProto>();
  const initializers: TensorProto[] = [];
  const scaled: ScaledBound[] = [];
  for (const clip of index.nodes) {
    const [low, from] = clampRange(viewNode(clip), index) ?? [];
    if (from === undefined || low !== 0 || !(from > 0 && from <= LARGEST_POWER)) continue;
    const to = powerOfTwoAtLeast(from);
    if (to === from) continue;
    const factors = factorsAround(clip, to / from, workshop);
    if (factors === undefined || !rescaling.add(factors)) continue;
    const changed = withUpperBound(clip, to, workshop);
    clips.set(clip, changed.node);
    initializers.push(...changed.initializers);
    scaled.push({ tensor: clip.output[0], from, to });
  }
  if (scaled.length === 0) return { model, scaled };
  const layers = rescaling.changes();
  const edited = editGraph(model, {
    replace: new Map([...layers.replace, ...clips]),
    initializers: [...layers.initializers, ...initializers],
  });
  return { model: edited, scaled };
}

/** What the layers around a Clip have to take; undefined where they can't. */
function factorsAround(
  clip: NodeProto,
  factor: number,
  workshop: RewriteInProgress,
): LayerFactors[] | undefined {
  const { index } = workshop;
  const before = layerBefore(clip, workshop);
  const behind = layersBehind(
    clip.output[0],
    (node) => homogeneityOf(viewNode(node), index) !== undefined,
    workshop,
  );
  if (before === undefined || behind === undefined) return;
  return [
    { layer: before, output: new Float64Array(before.channels.output).fill(factor) },
    ...behind.layers.map((layer) => ({
      layer,
      input: new Float64Array(layer.channels.input).fill(1 / factor),
    })),
  ];
}

/** The layer that makes what a node reads, when nothing else reads that. */
function layerBefore(
  { input: [tensor] }: NodeProto,
  { index, shapes }: RewriteInProgress,
): LinearLayer | undefined {
  const producer = index.producers.get(tensor);
  if (producer === undefined || index.outputs.has(tensor)) return;
  return index.consumers.get(tensor)?.length === 1
    ? linearLayer(producer, index, shapes)
    : undefined;
}

/**
 * A Clip with another upper bound in place of the one that it has, written as that one is. A bound
 * that is an input becomes a new constant, since Clips like to share theirs.
 */
function withUpperBound(
  clip: NodeProto,
  high: number,
  { index, newName }: RewriteInProgress,
): { node: NodeProto; initializers: TensorProto[] } {
  const old = constantFloats(index, clip.input[2]);
  if (old === undefined) {
    const attribute = clip.attribute.map((entry) =>
      entry.name === "max" ? withFields(entry, { f: high }) : entry
    );
    return { node: withFields(clip, { attribute }), initializers: [] };
  }
  const name = newName(`${clip.input[2]}/scaled`);
  const input = clip.input.map((given, i) => i === 2 ? name : given);
  return {
    node: withFields(clip, { input }),
    initializers: [makeTensor(name, old.dims, Float32Array.of(high))],
  };
}
