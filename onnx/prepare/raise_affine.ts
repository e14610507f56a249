/**
 * Offsets and factors of channels moved up to the layer that they belong to. TensorFlow and JAX write a convolution in one
 * dimension as Unsqueeze, Conv, Squeeze, and add the bias behind that.
 *
 * @module
 */
import type { NodeProto } from "../file/onnx_pb.ts";
import { constantFloats, constantNumbers } from "../graph/constant_value.ts";
import { editGraph, repeatPass } from "../graph/edit_graph.ts";
import { type GraphIndex, indexGraph, onlyReader } from "../graph/graph_index.ts";
import { inferShapes } from "../operators/infer_shapes.ts";
import { mappedInput } from "../layers/channel_affine.ts";
import { linearLayer } from "../layers/linear_layer.ts";
import { type Model, withFields } from "../file/model.ts";
import { makeTensor } from "../file/tensor.ts";
import { nameMaker } from "../graph/names.ts";
import { intsAttribute, isOperator, makeNode } from "../graph/node.ts";

/** A tensor on its way: its rank, and which of its axes holds the channels. */
interface Place {
  readonly rank: number;
  readonly axis: number;
}

/**
 * Moves Add, Sub, Mul and Div with a constant per channel in front of the Squeeze, Slice and Transpose between them and a
 * layer, so that `foldAffineAfter` finds them there. Nothing else may read what is between.
 */
export function raiseAffine(model: Model): Model {
  return repeatPass(model, raiseOnce);
}

function raiseOnce(model: Model): Model {
  const index = indexGraph(model.graph);
  const shapes = inferShapes(model.graph, index);
  const newName = nameMaker(model.graph);
  for (const node of index.nodes) {
    const layer = linearLayer(node, index, shapes);
    if (layer?.rank === undefined) continue;
    const channels = layer.channels.output;
    let place: Place = { rank: layer.rank, axis: layer.rank + layer.axis };
    const moves: NodeProto[] = [];
    let reader = onlyReader(node.output[0], index);
    for (; reader !== undefined; reader = onlyReader(moves.at(-1)!.output[0], index)) {
      const next = placeBehind(reader, place, index);
      if (next === undefined) break;
      moves.push(reader);
      place = next;
    }
    if (reader === undefined || moves.length === 0) continue;
    if (mappedInput(reader, index) !== moves.at(-1)!.output[0]) continue;
    const position = reader.input.findIndex((name) => index.initializers.has(name));
    const constant = constantFloats(index, reader.input[position]);
    if (constant === undefined || !isAlong(constant.dims, place, channels)) continue;
    const raised = newName(`${node.output[0]}/raised`);
    const name = newName(`${reader.input[position]}/raised`);
    const dims = constant.data.length === 1
      ? []
      : [channels, ...Array<number>(-layer.axis - 1).fill(1)];
    const other = 1 - position;
    const input = reader.input.with(other, node.output[0]).with(position, name);
    // Nodes keep their names, and the last tensor its own.
    const replace = new Map<NodeProto, NodeProto>();
    moves.forEach((move, i) => {
      const first = i === 0 ? { input: move.input.with(0, raised) } : {};
      const last = i === moves.length - 1 ? { output: reader.output } : {};
      replace.set(move, withFields(move, { ...first, ...last }));
    });
    return editGraph(model, {
      remove: new Set([reader]),
      replace,
      add: [makeNode(reader.opType, reader.name, input, [raised])],
      initializers: [makeTensor(name, dims, constant.data)],
    });
  }
  return model;
}

/** Where the channels are behind a node that moves elements; undefined for others, and where they would be cut. */
function placeBehind(node: NodeProto, { rank, axis }: Place, index: GraphIndex): Place | undefined {
  const fromStart = (at: number) => at < 0 ? at + rank : at;
  if (isOperator(node, "Squeeze")) {
    const axes = constantNumbers(index, node.input[1])?.map((at) => fromStart(Number(at)));
    if (axes === undefined || axes.includes(axis)) return;
    return { rank: rank - axes.length, axis: axis - axes.filter((at) => at < axis).length };
  }
  if (isOperator(node, "Slice")) {
    const axes = constantNumbers(index, node.input[3])?.map((at) => fromStart(Number(at)));
    return axes === undefined || axes.includes(axis) ? undefined : { rank, axis };
  }
  if (isOperator(node, "Transpose")) {
    const order = intsAttribute(node, "perm");
    return order?.length === rank ? { rank, axis: order.indexOf(axis) } : undefined;
  }
  return undefined;
}

/** Whether a constant varies along the channels only, and spreads nothing. */
function isAlong(dims: readonly number[], { rank, axis }: Place, channels: number): boolean {
  if (dims.length > rank) return false;
  return dims.every((dim, i) => dim === 1 || i + rank - dims.length === axis && dim === channels);
}
