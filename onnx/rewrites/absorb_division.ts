/**
 * Division of the channels of a tensor, taken by what makes it.
 *
 * @module
 */
import type { NodeProto, TensorProto } from "../file/onnx_pb.ts";
import type { RewriteInProgress } from "../layers/fold_layers.ts";
import { linearLayer } from "../layers/linear_layer.ts";
import { withFields } from "../file/model.ts";
import { onlyReader } from "../graph/graph_index.ts";
import { constantFloats, type FloatConstant } from "../graph/constant_value.ts";
import { intAttribute, isOperator } from "../graph/node.ts";
import { viewNode } from "../graph/node_view.ts";
import { makeTensor } from "../file/tensor.ts";
import { homogeneityOf, keptBy } from "../operators/operators.ts";
import { channelsUpstream } from "./channels_upstream.ts";
import type { LayerFactors } from "./rescale_layers.ts";

/** What takes the division. */
export interface Absorbed {
  readonly replace: ReadonlyMap<NodeProto, NodeProto>;
  readonly initializers: readonly TensorProto[];
  /** Layers whose output channels are divided. */
  readonly layers: readonly LayerFactors[];
}

/** A division of channels. */
export interface Division {
  /** What each channel is divided by, above 0. */
  readonly factor: Float64Array;
  /** Axis of the channels, counted from the end. */
  readonly axis: number;
}

/** Steps from a tensor to what takes its division: more are no chain that somebody wrote. */
const MOST_STEPS = 8;

/**
 * Changes that make a tensor come out divided: of the gain and offset of a LayerNormalization, of a constant factor, or
 * of a layer's weights; on the way to them constant offsets are divided, too, and functions passed that are linear on both
 * sides of 0, and what moves channels, or adds up positions, as an attention does with its values. Undefined where none of them makes the tensor, or where somebody else reads what would change.
 */
export function absorbDivision(
  tensor: string,
  wanted: Division,
  workshop: RewriteInProgress,
): Absorbed | undefined {
  let division = wanted;
  const { index, newName } = workshop;
  const replace = new Map<NodeProto, NodeProto>();
  const initializers: TensorProto[] = [];
  const divided = (
    name: string,
    { data, dims }: FloatConstant,
    sign: 1 | -1,
  ): string | undefined => {
    const spread = spreadOver(dims, division);
    if (spread === undefined) return;
    const values = Float32Array.from({ length: spread.size }, (_, i) => {
      const s = division.factor[spread.channel(i)];
      const value = data[spread.source(i)];
      return sign === 1 ? value / s : value * s;
    });
    if (!values.every(Number.isFinite)) return;
    const fresh = newName(`${name}/migrated`);
    initializers.push(makeTensor(fresh, spread.dims, values));
    return fresh;
  };
  const change = (node: NodeProto, position: number, sign: 1 | -1 = 1): boolean => {
    const name = node.input[position];
    const constant = constantFloats(index, name);
    const fresh = constant && divided(name, constant, sign);
    if (fresh === undefined) return false;
    const current = replace.get(node) ?? node;
    replace.set(node, withFields(current, { input: current.input.with(position, fresh) }));
    return true;
  };
  const done = (layers: readonly LayerFactors[] = []): Absorbed => ({
    replace,
    initializers,
    layers,
  });

  let name = tensor;
  let isOffset = false;
  for (let step = 0; step < MOST_STEPS; step++) {
    const node = index.producers.get(name);
    const isSole = name === tensor || onlyReader(name, index) !== undefined;
    if (node === undefined || !isSole || node.output[0] !== name) return;
    if (isOperator(node, "LayerNormalization")) {
      const isLast = division.axis === -1 && intAttribute(node, "axis", -1) === -1;
      const hasOffset = (node.input[2] ?? "") !== "";
      return isLast && change(node, 1) && (!hasOffset || change(node, 2)) ? done() : undefined;
    }
    const layer = linearLayer(node, index, workshop.shapes);
    if (layer !== undefined) {
      const fits = layer.axis === division.axis && layer.channels.output === division.factor.length;
      return fits ? done([{ layer, output: division.factor.map((s) => 1 / s) }]) : undefined;
    }
    const constant = node.input.findIndex((input) => index.initializers.has(input));
    if (isOperator(node, "Add", "Sub") && constant >= 0) {
      if (!change(node, constant)) return;
      isOffset = true;
    } else if (
      isOperator(node, "Mul") && constant >= 0 || isOperator(node, "Div") && constant === 1
    ) {
      // A single factor ends an activation function, which is known by it, unless an offset follows.
      const isSingle = constantFloats(index, node.input[constant])?.data.length === 1;
      if (isSingle && !isOffset) return;
      return change(node, constant, isOperator(node, "Mul") ? 1 : -1) ? done() : undefined;
    } else if (
      homogeneityOf(viewNode(node), index) !== "elements" || keptBy(viewNode(node)) !== undefined
    ) {
      const upstream = channelsUpstream(name, division, workshop);
      if (upstream === undefined) return;
      ({ tensor: name, division } = upstream);
      continue;
    }
    name = node.input.find((input) => !index.initializers.has(input))!;
  }
}

/**
 * How a constant of these dimensions spreads over the channels of a division: which element of the new constant belongs to
 * which channel, and to which element of the old one. Undefined where it has the channels along another axis.
 */
function spreadOver(dims: readonly number[], { factor, axis }: Division) {
  const rank = Math.max(dims.length, -axis);
  const old = [...Array<number>(rank - dims.length).fill(1), ...dims];
  const at = rank + axis;
  if (old[at] !== 1 && old[at] !== factor.length) return;
  const wide = old.with(at, factor.length);
  const size = wide.reduce((product, dim) => product * dim, 1);
  const stride = wide.slice(at + 1).reduce((product, dim) => product * dim, 1);
  const channel = (i: number) => Math.floor(i / stride) % factor.length;
  const source = old[at] !== 1
    ? (i: number) => i
    : (i: number) => Math.floor(i / (stride * factor.length)) * stride + i % stride;
  return { dims: wide, size, channel, source };
}
