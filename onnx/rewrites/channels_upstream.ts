/**
 * Where the channels of a tensor come from, through what only moves them or adds up positions: an attention
 * makes each channel of its output of one channel of its values,
 *
 *     values ─► Reshape ─► Transpose ─► MatMul(weights, ·) ─► Transpose ─► Reshape ─► projection,
 *
 * so that a factor of a channel may stand on either side of it. Values may be a part of one layer's output beside queries
 * and keys, picked by Gather or Split.
 *
 * @module
 */
import type { NodeProto } from "../file/onnx_pb.ts";
import type { RewriteInProgress } from "../layers/fold_layers.ts";
import { constantNumbers } from "../graph/constant_value.ts";
import { intAttribute, intsAttribute, isOperator } from "../graph/node.ts";
import type { Division } from "./absorb_division.ts";

/** Where the channels of a tensor are. */
interface Place {
  /** Axes that hold them, counted from the end, the outermost first. */
  readonly axes: readonly number[];
  /** Of an axis that holds others beside them: the place of the first, and how many there are in all. */
  readonly part?: { readonly axis: number; readonly from: number; readonly of: number };
}

/** Steps on the way: more are no attention that somebody wrote. */
const MOST_STEPS = 12;

/**
 * The tensor with the same channels along its last axis that a tensor is made of, with the division that it needs; channels
 * beside them are divided by 1. Undefined where there is none, or where somebody else reads what would change.
 */
export function channelsUpstream(
  tensor: string,
  { factor, axis }: Division,
  { index, shapes }: RewriteInProgress,
): { tensor: string; division: Division } | undefined {
  let name = tensor;
  let place: Place = { axes: [axis] };
  for (let step = 0; step < MOST_STEPS; step++) {
    const node = index.producers.get(name);
    const shape = shapes.get(name) ?? [];
    const isSole = (index.consumers.get(name)?.length ?? 0) <= 1 || picksOthers(name);
    if (name !== tensor && (!isSole || index.outputs.has(name))) return;
    const before = node && back(node, name, shape);
    if (before !== undefined) {
      [name, place] = before;
      continue;
    }
    const { axes: [only], axes, part } = place;
    if (name === tensor || axes.length > 1 || only !== -1) return;
    if (part === undefined) return { tensor: name, division: { factor, axis: -1 } };
    if (part.axis !== -1) return;
    const whole = new Float64Array(part.of).fill(1);
    whole.set(factor, part.from);
    return { tensor: name, division: { factor: whole, axis: -1 } };
  }
  return;

  /** The input that a node takes these channels from, and where they are there. */
  function back(
    node: NodeProto,
    output: string,
    shape: readonly (number | undefined)[],
  ): [string, Place] | undefined {
    const [first, second] = node.input;
    const from = shapeOf(first);
    if (isOperator(node, "Transpose")) {
      const order = intsAttribute(node, "perm") ?? shape.map((_, i) => shape.length - 1 - i);
      const moved = (at: number) => order[at + order.length] - order.length;
      if (order.length === 0) return;
      const { part } = place;
      return [first, {
        axes: place.axes.map(moved),
        ...(part && { part: { ...part, axis: moved(part.axis) } }),
      }];
    }
    if (isOperator(node, "Reshape") && from !== undefined) {
      const reshaped = reshapedPlace(place, shape, from, factor.length);
      return reshaped && [first, reshaped];
    }
    if (isOperator(node, "MatMul") && !index.initializers.has(second) && first !== second) {
      const values = shapes.get(second);
      const isPlain = values?.length === shape.length && place.part === undefined &&
        place.axes.every((at) =>
          at === -1 || at < -2 && shape.at(at) !== undefined && values.at(at) === shape.at(at)
        );
      return isPlain ? [second, place] : undefined;
    }
    if (place.part !== undefined || from === undefined) return;
    if (isOperator(node, "Gather")) {
      const axis = axisOf(node, from.length);
      const picked = pickOf(node, from.at(axis));
      if (picked === undefined) return;
      return [first, {
        // Axes in front of the one that is gone are one further from the end.
        axes: place.axes.map((other) => other <= axis ? other - 1 : other),
        part: { axis, from: picked, of: from.at(axis)! },
      }];
    }
    const split = isOperator(node, "Split") ? partOf(node, output) : undefined;
    if (split === undefined || place.axes.length > 1 || place.axes[0] !== split.axis) return;
    return split.size === factor.length ? [first, { axes: [split.axis], part: split }] : undefined;
  }

  /** What a Split gives out in a tensor: so many entries of an axis from one on, of how many. */
  function partOf(node: NodeProto, output: string) {
    const [first, second = ""] = node.input;
    const shape = shapes.get(first);
    const axis = axisOf(node, shape?.length ?? 0);
    const of = shape?.at(axis);
    if (of === undefined) return;
    const count = node.output.length;
    const sizes = second === ""
      ? intsAttribute(node, "split") ?? Array<number>(count).fill(of / count)
      : constantNumbers(index, second)?.map(Number);
    const position = node.output.indexOf(output);
    const from = sizes?.slice(0, position).reduce((sum, size) => sum + size, 0);
    return from === undefined ? undefined : { axis, from, of, size: sizes![position] };
  }

  /** The shape of a tensor; what Split gives out has sizes that shapes don't tell. */
  function shapeOf(name: string): readonly (number | undefined)[] | undefined {
    const node = index.producers.get(name);
    const split = node && isOperator(node, "Split") ? partOf(node, name) : undefined;
    const [shape, size] = split === undefined
      ? [shapes.get(name)]
      : [shapes.get(node!.input[0]), split.size];
    return size === undefined ? shape : shape?.with(split!.axis, size);
  }

  /** Whether all that read a tensor pick single entries of one axis, which are different ones. */
  function picksOthers(name: string): boolean {
    const shape = shapes.get(name);
    const picks = (index.consumers.get(name) ?? []).map((node) => {
      const axis = axisOf(node, shape?.length ?? 0);
      const at = isOperator(node, "Gather") && node.input[0] === name
        ? pickOf(node, shape?.at(axis))
        : undefined;
      return { axis, at };
    });
    return picks.every(({ axis, at }) => at !== undefined && axis === picks[0].axis) &&
      new Set(picks.map(({ at }) => at)).size === picks.length;
  }

  /** The entry that a Gather picks, of an axis with so many; undefined where that is not one. */
  function pickOf(node: NodeProto, of: number | undefined): number | undefined {
    const [, second] = node.input;
    const at = constantNumbers(index, second);
    if (at?.length !== 1 || shapes.get(second)?.length !== 0 || of === undefined) return;
    const picked = Number(at[0]);
    return picked < 0 ? picked + of : picked;
  }
}

/** Where channels are in front of a Reshape: behind and in front of it they take up the last axes. */
function reshapedPlace(
  { axes, part }: Place,
  behind: readonly (number | undefined)[],
  before: readonly (number | undefined)[],
  channels: number,
): Place | undefined {
  const all = part === undefined || axes.includes(part.axis) ? axes : [part.axis, ...axes];
  const isLast = all.every((axis, i) => axis === i - all.length);
  if (!isLast) return;
  const size = part === undefined
    ? channels
    : axes.includes(part.axis)
    ? part.of
    : part.of * channels;
  const sizes = behind.slice(-all.length);
  if (sizes.reduce<number>((product, dim) => product * (dim ?? NaN), 1) !== size) return;
  let product = 1;
  for (let count = 1; count <= before.length; count++) {
    product *= before.at(-count) ?? NaN;
    if (product !== size) continue;
    if (part === undefined) {
      return { axes: Array.from({ length: count }, (_, i) => i - count) };
    }
    const isWhole = count === 1 && !axes.includes(part.axis);
    return isWhole
      ? { axes: [-1], part: { axis: -1, from: part.from * channels, of: size } }
      : undefined;
  }
  return;
}

/** The axis of a node, counted from the end. */
function axisOf(node: NodeProto, rank: number): number {
  const axis = intAttribute(node, "axis", 0);
  return axis < 0 ? axis : axis - rank;
}
