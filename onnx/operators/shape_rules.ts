/**
 * How the shape of an operator's first output follows from its inputs. What isn't known is undefined.
 *
 * @module
 */
import type { Constants, NodeView } from "../graph/node_view.ts";

/** Dimensions of a tensor of known rank; undefined for those that vary or aren't known. */
export type Shape = readonly (number | undefined)[];

/** Finds the shape of the first output; undefined when not even the rank is known. */
export type ShapeRule = (
  inputs: readonly (Shape | undefined)[],
  node: NodeView,
  constants: Constants,
) => Shape | undefined;

/** For what only the model tells. */
export function unknownShape(): undefined {
  return undefined;
}

/** That of the first input. */
export function sameShape([x]: readonly (Shape | undefined)[]): Shape | undefined {
  return x;
}

/** Of the first input only the rank. */
export function sameRank([x]: readonly (Shape | undefined)[]): Shape | undefined {
  return x?.map(() => undefined);
}

/** A fixed one. */
export function fixedShape(...shape: Shape): ShapeRule {
  return () => shape;
}

/** That of the second input, as indices have it. */
export function shapeOfIndices([, indices]: readonly (Shape | undefined)[]): Shape | undefined {
  return indices;
}

/** An axis that isn't known, in front of the others or behind them. */
export function oneAxisMore([x]: readonly (Shape | undefined)[]): Shape | undefined {
  return x && [...x, undefined].map(() => undefined);
}

/** All sizes but that of the attribute `axis`; a list when there is no axis. */
export function withinAxis(
  [x]: readonly (Shape | undefined)[],
  { attributes: { axis } }: NodeView,
): Shape | undefined {
  if (axis === undefined) return [undefined];
  const at = x && fromStart(Number(axis), x.length);
  return x?.map((dim, i) => i === at ? undefined : dim);
}

/** Inputs spread against each other. */
export function broadcast(shapes: readonly (Shape | undefined)[]): Shape | undefined {
  if (!shapes.every((shape) => shape !== undefined)) return undefined;
  const rank = Math.max(...shapes.map(({ length }) => length));
  return Array.from({ length: rank }, (_, axis) => {
    const dims = shapes.map((shape) => {
      const own = axis - rank + shape.length;
      return own < 0 ? 1 : shape[own];
    });
    const wide = dims.find((dim) => dim !== undefined && dim !== 1);
    return wide ?? (dims.every((dim) => dim === 1) ? 1 : undefined);
  });
}

/** The input spread against a shape that is the second input. */
export function expanded(
  [x, target]: readonly (Shape | undefined)[],
  { inputs }: NodeView,
  constants: Constants,
): Shape | undefined {
  return broadcast([x, constants.numbers(inputs[1]) ?? unknownOfLength(target)]);
}

/** The shape that is the first input. */
export function shapeOfValue(
  [target]: readonly (Shape | undefined)[],
  { inputs }: NodeView,
  constants: Constants,
): Shape | undefined {
  return constants.numbers(inputs[0]) ?? unknownOfLength(target);
}

/** The shape that is an attribute. */
export function shapeOfAttribute(_: unknown, node: NodeView): Shape | undefined {
  return list(node, "shape");
}

/** A computed shape has a length at least, which is the rank. */
function unknownOfLength(shape: Shape | undefined): Shape | undefined {
  const [rank] = shape ?? [];
  return rank === undefined ? undefined : new Array<undefined>(rank).fill(undefined);
}

/** The shape that is the second input, with −1 and 0 as Reshape has them. */
export function reshaped(
  [x, target]: readonly (Shape | undefined)[],
  { inputs, attributes: { allowzero } }: NodeView,
  constants: Constants,
): Shape | undefined {
  const sizes = constants.numbers(inputs[1])?.map((size, axis) =>
    size === -1 ? undefined : size === 0 && allowzero === 0 ? x?.[axis] : size
  );
  return sizes ?? unknownOfLength(target);
}

/** A list with a size for each axis; attributes that take a part of it are left out. */
export function lengthOfShape(
  [x]: readonly (Shape | undefined)[],
  { attributes: { start, end } }: NodeView,
): Shape | undefined {
  return x && [start === 0 && end === undefined ? x.length : undefined];
}

/** Inputs joined along the attribute `axis`. */
export function concatenated(
  shapes: readonly (Shape | undefined)[],
  { attributes: { axis } }: NodeView,
): Shape | undefined {
  const [first] = shapes;
  if (first === undefined) return undefined;
  const at = fromStart(Number(axis ?? 0), first.length);
  const sizes = shapes.map((shape) => shape?.[at]);
  return first.map((dim, i) => i === at ? sizes.reduce(add, 0) : dim);
}

function add(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? undefined : a + b;
}

/** The product of sizes, as far as all are known. */
function product(dims: Shape): number | undefined {
  return dims.reduce((a, b) => a === undefined || b === undefined ? undefined : a * b, 1);
}

/** Sizes repeated as the second input says. */
export function tiled(
  [x]: readonly (Shape | undefined)[],
  { inputs }: NodeView,
  constants: Constants,
): Shape | undefined {
  const repeats = constants.numbers(inputs[1]);
  return x?.map((dim, axis) => product([dim, repeats?.[axis]]));
}

/** A piece of a list, which is how computed shapes are taken apart; of anything else the rank only. */
export function sliced(
  [x]: readonly (Shape | undefined)[],
  node: NodeView,
  constants: Constants,
): Shape | undefined {
  if (x === undefined) return undefined;
  const bounds = (input: number, name: string) =>
    constants.numbers(node.inputs[input]) ?? list(node, name);
  const [starts, ends] = [bounds(1, "starts"), bounds(2, "ends")];
  const steps = (node.inputs[4] ?? "") === "" ? [1] : constants.numbers(node.inputs[4]);
  const isPlain = x.length === 1 && steps?.[0] === 1;
  const [length] = x;
  if (!isPlain || length === undefined || starts === undefined || ends === undefined) {
    return x.map(() => undefined);
  }
  const clamp = (at: number) => Math.min(Math.max(fromStart(at, length), 0), length);
  return [Math.max(clamp(ends[0]) - clamp(starts[0]), 0)];
}

/** Axes of Squeeze, Unsqueeze and reductions: an attribute in old opsets, later an input. */
function axesOf(node: NodeView, rank: number, constants: Constants): number[] | undefined {
  const axes = constants.numbers(node.inputs[1]) ?? list(node, "axes");
  return axes?.map((axis) => fromStart(axis, rank));
}

/** Axes reduced to one element, or taken out. */
export function reduced(
  [x]: readonly (Shape | undefined)[],
  node: NodeView,
  constants: Constants,
): Shape | undefined {
  if (x === undefined) return undefined;
  // Without axes all are reduced, or none, as another attribute says.
  return withoutAxes(x, axesOf(node, x.length, constants), node.attributes.keepdims !== 0);
}

/** The axis of the attribute reduced to one element, or taken out. */
export function reducedAxis(
  [x]: readonly (Shape | undefined)[],
  { attributes: { axis, keepdims } }: NodeView,
): Shape | undefined {
  return x && withoutAxes(x, [fromStart(Number(axis), x.length)], keepdims !== 0);
}

function withoutAxes(
  x: Shape,
  axes: readonly number[] | undefined,
  isKept: boolean,
): Shape | undefined {
  if (axes === undefined) return isKept ? x.map(() => undefined) : undefined;
  return isKept
    ? x.map((dim, axis) => axes.includes(axis) ? 1 : dim)
    : x.filter((_, axis) => !axes.includes(axis));
}

/** Axes of one element taken out. */
export function squeezed(
  [x]: readonly (Shape | undefined)[],
  node: NodeView,
  constants: Constants,
): Shape | undefined {
  const axes = x && axesOf(node, x.length, constants);
  return axes && x.filter((_, axis) => !axes.includes(axis));
}

/** Axes of one element put in. */
export function unsqueezed(
  [x]: readonly (Shape | undefined)[],
  node: NodeView,
  constants: Constants,
): Shape | undefined {
  if (x === undefined) return undefined;
  const rank = x.length + (axesOf(node, 0, constants)?.length ?? 0);
  const axes = axesOf(node, rank, constants);
  if (axes === undefined) return undefined;
  const left = [...x];
  return Array.from({ length: rank }, (_, axis) => axes.includes(axis) ? 1 : left.shift());
}

/** The matrix [all before the axis, all from it on]. */
export function flattened(
  [x]: readonly (Shape | undefined)[],
  { attributes: { axis } }: NodeView,
): Shape | undefined {
  if (x === undefined) return undefined;
  const split = fromStart(Number(axis), x.length);
  return [product(x.slice(0, split)), product(x.slice(split))];
}

/** Axes in another order; reversed where the node doesn't say which. */
export function transposed(
  [x]: readonly (Shape | undefined)[],
  node: NodeView,
): Shape | undefined {
  const perm = list(node, "perm") ?? x?.map((_, axis) => x.length - 1 - axis);
  return x && perm?.map((axis) => x[axis]);
}

/** The axis exchanged for those of the indices. */
export function gathered(
  [x, indices]: readonly (Shape | undefined)[],
  { attributes: { axis } }: NodeView,
): Shape | undefined {
  if (x === undefined || indices === undefined) return undefined;
  const at = fromStart(Number(axis), x.length);
  return [...x.slice(0, at), ...indices, ...x.slice(at + 1)];
}

/** GatherND: the last axis of the indices counts axes of the data. */
export function gatheredTuples(
  [x, indices]: readonly (Shape | undefined)[],
  { attributes: { batch_dims } }: NodeView,
): Shape | undefined {
  const tuple = indices?.at(-1);
  if (x === undefined || indices === undefined || tuple === undefined) return undefined;
  return [...indices.slice(0, -1), ...x.slice(Number(batch_dims) + tuple)];
}

/** Channels to positions, or back. */
export function blocksMoved(direction: 1 | -1): ShapeRule {
  return ([x], { attributes: { blocksize } }) => {
    if (x?.length !== 4) return undefined;
    const size = Number(blocksize) ** direction;
    const scaled = (dim: number | undefined, factor: number) => dim && Math.round(dim * factor);
    return [x[0], scaled(x[1], size ** -2), scaled(x[2], size), scaled(x[3], size)];
  };
}

/** Batch and channels kept, a window over the rest. */
export function pooled([x]: readonly (Shape | undefined)[], node: NodeView): Shape | undefined {
  const kernel = list(node, "kernel_shape") ?? [];
  return x && [...x.slice(0, 2), ...windowed(node, x.slice(2), kernel)];
}

/** Batch and channels kept, one element of the rest. */
export function pooledWhole([x]: readonly (Shape | undefined)[]): Shape | undefined {
  return x?.map((dim, axis) => axis < 2 ? dim : 1);
}

/** A convolution, whose weights [output, input / group, …] are the input of this number. */
export function convolved(weights: number): ShapeRule {
  return (inputs, node) => {
    const [x, w] = [inputs[0], inputs[weights]];
    return x && w && [x[0], w[0], ...windowed(node, x.slice(2), w.slice(2))];
  };
}

/** A transposed convolution, whose sizes aren't followed. */
export function convolvedBack(
  [x, w]: readonly (Shape | undefined)[],
  { attributes: { group } }: NodeView,
): Shape | undefined {
  return x && w && [x[0], product([w[1], Number(group)]), ...x.slice(2).map(() => undefined)];
}

/**
 * Spatial sizes behind a window that moves over its input (ONNX, Conv and the pools). Sizes rounded up, as `ceil_mode`
 * wants, aren't known here.
 */
function windowed(node: NodeView, input: Shape, kernel: Shape): Shape {
  const [strides, dilations, pads] = ["strides", "dilations", "pads"].map((name) =>
    list(node, name) ?? []
  );
  const { ceil_mode = 0, auto_pad } = node.attributes;
  if (ceil_mode !== 0) return input.map(() => undefined);
  return input.map((size, axis) => {
    const [window, stride] = [kernel[axis], strides[axis] ?? 1];
    if (size === undefined || window === undefined) return undefined;
    if (String(auto_pad).startsWith("SAME")) return Math.ceil(size / stride);
    const padding = auto_pad === "VALID" ? 0 : (pads[axis] ?? 0) + (pads[axis + input.length] ?? 0);
    const reach = (dilations[axis] ?? 1) * (window - 1) + 1;
    return Math.floor((size + padding - reach) / stride) + 1;
  });
}

/** A product of matrices that may be transposed. */
export function multiplied(
  [x, y]: readonly (Shape | undefined)[],
  { attributes: { transA, transB } }: NodeView,
): Shape | undefined {
  return x && y && [x[transA === 0 ? 0 : 1], y[transB === 0 ? 1 : 0]];
}

/** A product of stacks of matrices, the second of which is the input of this number. */
export function multipliedStacks(second: number): ShapeRule {
  return (inputs) => {
    const [x, y] = [inputs[0], inputs[second]];
    if (x === undefined || y === undefined || x.length < 2 || y.length < 2) return undefined;
    const batches = broadcast([x.slice(0, -2), y.slice(0, -2)]);
    return batches && [...batches, x.at(-2), y.at(-1)];
  };
}

/** Einstein's sums, without "…". */
export function summed(
  inputs: readonly (Shape | undefined)[],
  { attributes: { equation } }: NodeView,
): Shape | undefined {
  const [terms, result] = String(equation).replaceAll(" ", "").split("->");
  if (result === undefined || terms.includes(".")) return undefined;
  const sizes = terms.split(",").flatMap((term, i) =>
    [...term].map((label, axis) => [label, inputs[i]?.[axis]] as const)
  );
  return [...result].map((label) =>
    sizes.find(([other, size]) => other === label && size !== undefined)?.[1]
  );
}

/** Attention of [batch, heads, length, size], or of [batch, length, heads · size]. */
export function attended([q, , v]: readonly (Shape | undefined)[]): Shape | undefined {
  return q?.length === 4 ? [...q.slice(0, 3), v?.at(-1)] : q && [q[0], q[1], undefined];
}

/** All hidden states of a recurrent layer. */
export function unrolled(
  [x]: readonly (Shape | undefined)[],
  { attributes: { direction, hidden_size, layout = 0 } }: NodeView,
): Shape | undefined {
  if (x === undefined) return undefined;
  const directions = direction === "bidirectional" ? 2 : 1;
  const hidden = hidden_size === undefined ? undefined : Number(hidden_size);
  return layout === 0 ? [x[0], directions, x[1], hidden] : [x[0], x[1], directions, hidden];
}

/** Batch and channels kept, positions as the grid has them. */
export function sampled([x, grid]: readonly (Shape | undefined)[]): Shape | undefined {
  return x && grid && [x[0], x[1], ...grid.slice(1, -1)];
}

/** A picture for each region. */
export function regionsPooled(
  [x, rois]: readonly (Shape | undefined)[],
  node: NodeView,
): Shape | undefined {
  const { output_height, output_width } = node.attributes;
  const size = list(node, "pooled_shape") ?? [Number(output_height), Number(output_width)];
  return x && [rois?.[0], x[1], ...size];
}

function list({ attributes }: NodeView, name: string): readonly number[] | undefined {
  const value = attributes[name];
  return Array.isArray(value) ? value : undefined;
}

/** An axis counted from the start; negative ones count from the end. */
function fromStart(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}
