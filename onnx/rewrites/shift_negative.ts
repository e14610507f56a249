/**
 * Activations with a small negative side (HardSwish, SiLU, GELU, ELU …) shifted to start at zero, so that
 * an unsigned grid holds them without giving half of its codes to negative numbers.
 *
 * @module
 */
import type { NodeProto, TensorProto } from "../file/onnx_pb.ts";
import { absorbOffset } from "./absorb_offset.ts";
import { constantPadding, padsConstant, passesOffset } from "./constant_offset.ts";
import { editGraph, type GraphChanges } from "../graph/edit_graph.ts";
import type { RewriteInProgress } from "../layers/fold_layers.ts";
import { indexGraph } from "../graph/graph_index.ts";
import { inferShapes } from "../operators/infer_shapes.ts";
import { layersBehind } from "./layers_behind.ts";
import { type Model, opsetVersion, withFields } from "../file/model.ts";
import { nameMaker } from "../graph/names.ts";
import { isOperator, makeNode } from "../graph/node.ts";
import { makeTensor } from "../file/tensor.ts";

/** One tensor that is shifted now. */
export interface ShiftedTensor {
  /** The tensor, which is as it was. */
  readonly tensor: string;
  /** The tensor that its readers read now: `tensor` + `shift`. */
  readonly shifted: string;
  /** Above 0, a float32. */
  readonly shift: number;
}

/** A place where all is known. */
type Place = Required<Omit<GraphChanges, "remove">> & { readonly shifted: string };

/** First opset whose Pad has its padding and value as inputs. */
const PAD_WITH_INPUTS = 11;

/**
 * Adds −minimum to each of the given tensors and takes it out again in the layers behind:
 *
 *     W·y + b  =  W·(y + t) + (b − Σ W·t),   t = −minimum
 *
 * MCT has the same as `shift_negative_activation_correction`. A tensor must go into linear layers only,
 * directly or through operators that an offset passes; zero padding on the way becomes padding with t.
 * Elsewhere it stays as it is, and so does one on whose way another one has been shifted already.
 *
 * @param minima Least value of each tensor that shall be shifted, below 0, by name: which tensors are worth
 * it is for the caller to decide. Names of inputs and constants are ignored.
 */
export function shiftNegative(
  model: Model,
  minima: ReadonlyMap<string, number>,
): { model: Model; shifted: readonly ShiftedTensor[] } {
  if (opsetVersion(model) < PAD_WITH_INPUTS) return { model, shifted: [] };
  const index = indexGraph(model.graph);
  const shapes = inferShapes(model.graph, index);
  const workshop = { index, shapes, newName: nameMaker(model.graph) };
  const replace = new Map<NodeProto, NodeProto>();
  const add: NodeProto[] = [];
  const initializers: TensorProto[] = [];
  const shifted: ShiftedTensor[] = [];
  for (const tensor of index.nodes.flatMap(({ output }) => output)) {
    const shift = Math.fround(-(minima.get(tensor) ?? 0));
    if (!(shift > 0 && shift < Infinity)) continue;
    const place = shiftTensor(tensor, shift, workshop);
    const isTaken = place === undefined ||
      [...place.replace.keys()].some((node) => replace.has(node));
    if (isTaken) continue;
    place.replace.forEach((now, old) => replace.set(old, now));
    add.push(...place.add);
    initializers.push(...place.initializers);
    shifted.push({ tensor, shifted: place.shifted, shift });
  }
  return {
    model: shifted.length === 0 ? model : editGraph(model, { replace, add, initializers }),
    shifted,
  };
}

/** What shifting one tensor changes; undefined where that isn't exact. */
function shiftTensor(
  tensor: string,
  shift: number,
  workshop: RewriteInProgress,
): Place | undefined {
  const { index, newName } = workshop;
  const behind = layersBehind(tensor, (node) => passesOffset(node, index), workshop);
  if (behind === undefined) return;
  const shifted = newName(`${tensor}/shifted`);
  const constant = newName(`${tensor}/shift`);
  const add = [makeNode("Add", newName(`${tensor}/Add`), [tensor, constant], [shifted])];
  const initializers = [makeTensor(constant, [], Float32Array.of(shift))];
  const replace = new Map<NodeProto, NodeProto>();
  const inputOf = ({ input }: NodeProto) => input[0] === tensor ? shifted : input[0];
  for (const node of behind.between) {
    const moved = withFields(node, { input: [inputOf(node), ...node.input.slice(1)] });
    const changed = raisePadding(moved, shift, workshop);
    replace.set(node, changed.node);
    initializers.push(...changed.initializers);
  }
  for (const layer of behind.layers) {
    const input = { input: inputOf(layer.node), offset: shift };
    const absorbed = absorbOffset(layer, input, workshop);
    if (absorbed === undefined) return;
    absorbed.replace.forEach((now, old) => replace.set(old, now));
    add.push(...absorbed.add);
    initializers.push(...absorbed.initializers);
  }
  return { shifted, replace, add, initializers };
}

/** The same node, a Pad with its constant raised. */
function raisePadding(
  node: NodeProto,
  shift: number,
  { index, newName }: RewriteInProgress,
): { node: NodeProto; initializers: TensorProto[] } {
  const value = isOperator(node, "Pad") && padsConstant(node)
    ? constantPadding(node, index)
    : undefined;
  if (value === undefined) return { node, initializers: [] };
  const name = newName(`${node.output[0]}/padding`);
  const [input, pads, , ...axes] = node.input;
  return {
    node: withFields(node, { input: [input, pads, name, ...axes] }),
    initializers: [makeTensor(name, [], Float32Array.of(value + shift))],
  };
}
