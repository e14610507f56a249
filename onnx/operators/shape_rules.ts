/**
 * How the shape of an operator's first output follows from its inputs. What isn't known is undefined.
 *
 * @module
 */
import type { NodeView } from "../graph/node_view.ts";

/** Dimensions of a tensor of known rank; undefined for those that vary or aren't known. */
export type Shape = readonly (number | undefined)[];

/** What a rule is given of a node. */
export interface Given {
  /** Shapes of its inputs; undefined where not even the rank is known. */
  readonly shapes: readonly (Shape | undefined)[];
  /** Names of its inputs; empty for one left out. */
  readonly inputs: readonly string[];
  /** Its attributes, those that it doesn't write among them. */
  readonly attributes: NodeView["attributes"];
  /** Elements of an input that is constant, by its number; undefined for one that is left out. */
  readonly constant: (input: number) => readonly number[] | undefined;
}

/** Shape of the first output; undefined when not even the rank is known. */
type Found = Shape | undefined;
/** Finds the shape of the first output. */
export type ShapeRule = (given: Given) => Found;

/** For what only the model tells. */
export function unknownShape(): undefined {
  return undefined;
}

/** That of the first input. */
export function sameShape({ shapes: [x] }: Given): Found {
  return x;
}

/** Of the first input only the rank. */
export function sameRank({ shapes: [x] }: Given): Found {
  return x?.map(() => undefined);
}

/** A fixed one. */
export function fixedShape(...shape: Shape): ShapeRule {
  return () => shape;
}

/** That of the second input, as indices have it. */
export function shapeOfIndices({ shapes: [, indices] }: Given): Found {
  return indices;
}

/** An axis more, which may be any. */
export function oneAxisMore({ shapes: [x] }: Given): Found {
  return x && [...x, undefined].map(() => undefined);
}

/** All sizes but that of the attribute `axis`; a list when there is no axis. */
export function withinAxis({ shapes: [x], attributes: { axis } }: Given): Found {
  if (axis === undefined) return [undefined];
  const at = x && fromStart(Number(axis), x.length);
  return x?.map((dim, i) => i === at ? undefined : dim);
}

/** Inputs spread against each other. */
export function broadcast({ shapes }: Pick<Given, "shapes">): Found {
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
export function expanded({ shapes: [x, target], constant }: Given): Found {
  return broadcast({ shapes: [x, constant(1) ?? unknownOfLength(target)] });
}

/** The shape that is the first input. */
export function shapeOfValue({ shapes: [target], constant }: Given): Found {
  return constant(0) ?? unknownOfLength(target);
}

/** The shape that is an attribute. */
export function shapeOfAttribute({ attributes: { shape } }: Given): Found {
  return listOf(shape);
}

/** A computed shape has a length at least, which is the rank. */
function unknownOfLength(shape: Found): Found {
  const [rank] = shape ?? [];
  return rank === undefined ? undefined : new Array<undefined>(rank).fill(undefined);
}

/** The shape that is the second input, with −1 and 0 as Reshape has them. */
export function reshaped(
  { shapes: [x, target], attributes: { allowzero }, constant }: Given,
): Found {
  const sizes = constant(1)?.map((size, axis) =>
    size === -1 ? undefined : size === 0 && allowzero === 0 ? x?.[axis] : size
  );
  return sizes ?? unknownOfLength(target);
}

/** A list with a size for each axis, or for some of them. */
export function lengthOfShape({ shapes: [x], attributes: { start, end } }: Given): Found {
  return x && [start === 0 && end === undefined ? x.length : undefined];
}

/** Inputs joined along the attribute `axis`. */
export function concatenated({ shapes, attributes: { axis } }: Given): Found {
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
export function tiled({ shapes: [x], constant }: Given): Found {
  const repeats = constant(1);
  return x?.map((dim, axis) => product([dim, repeats?.[axis]]));
}

/** A piece of a list, which is how computed shapes are taken apart; of anything else the rank only. */
export function sliced({ shapes: [x], inputs, attributes, constant }: Given): Found {
  const [starts, ends] = [
    constant(1) ?? listOf(attributes.starts),
    constant(2) ?? listOf(attributes.ends),
  ];
  const isPlain = x?.length === 1 && ((inputs[4] ?? "") === "" || constant(4)?.[0] === 1);
  const [length] = x ?? [];
  if (!isPlain || length === undefined || starts === undefined || ends === undefined) {
    return x?.map(() => undefined);
  }
  const clamp = (at: number) => Math.min(Math.max(fromStart(at, length), 0), length);
  return [Math.max(clamp(ends[0]) - clamp(starts[0]), 0)];
}

/** Axes of Squeeze, Unsqueeze and reductions: an attribute in old opsets, later an input. */
function axesOf({ attributes, constant }: Given, rank: number): number[] | undefined {
  return (constant(1) ?? listOf(attributes.axes))?.map((axis) => fromStart(axis, rank));
}

/** Axes reduced to one element, or taken out. */
export function reduced(given: Given): Found {
  const { shapes: [x], attributes: { keepdims } } = given;
  // Without axes all are reduced, or none, as another attribute says.
  return x && withoutAxes(x, axesOf(given, x.length), keepdims !== 0);
}

/** The axis of the attribute reduced to one element, or taken out. */
export function reducedAxis({ shapes: [x], attributes: { axis, keepdims } }: Given): Found {
  return x && withoutAxes(x, [fromStart(Number(axis), x.length)], keepdims !== 0);
}

function withoutAxes(x: Shape, axes: readonly number[] | undefined, isKept: boolean): Found {
  if (axes === undefined) return isKept ? x.map(() => undefined) : undefined;
  return isKept
    ? x.map((dim, axis) => axes.includes(axis) ? 1 : dim)
    : x.filter((_, axis) => !axes.includes(axis));
}

/** Axes of one element taken out. */
export function squeezed(given: Given): Found {
  const { shapes: [x] } = given;
  const axes = x && axesOf(given, x.length);
  return axes && x.filter((_, axis) => !axes.includes(axis));
}

/** Axes of one element put in. */
export function unsqueezed(given: Given): Found {
  const { shapes: [x] } = given;
  const rank = (x?.length ?? 0) + (axesOf(given, 0)?.length ?? 0);
  const axes = axesOf(given, rank);
  if (x === undefined || axes === undefined) return undefined;
  const left = [...x];
  return Array.from({ length: rank }, (_, axis) => axes.includes(axis) ? 1 : left.shift());
}

/** The matrix [all before the axis, all from it on]. */
export function flattened({ shapes: [x], attributes: { axis } }: Given): Found {
  if (x === undefined) return undefined;
  const split = fromStart(Number(axis), x.length);
  return [product(x.slice(0, split)), product(x.slice(split))];
}

/** Axes in another order; reversed where the node doesn't say which. */
export function transposed({ shapes: [x], attributes: { perm } }: Given): Found {
  const order = listOf(perm) ?? x?.map((_, axis) => x.length - 1 - axis);
  return x && order?.map((axis) => x[axis]);
}

/** The axis exchanged for those of the indices. */
export function gathered({ shapes: [x, indices], attributes: { axis } }: Given): Found {
  if (x === undefined || indices === undefined) return undefined;
  const at = fromStart(Number(axis), x.length);
  return [...x.slice(0, at), ...indices, ...x.slice(at + 1)];
}

/** GatherND: the last axis of the indices counts axes of the data. */
export function gatheredTuples({ shapes: [x, indices], attributes }: Given): Found {
  const tuple = indices?.at(-1);
  if (x === undefined || indices === undefined || tuple === undefined) return undefined;
  return [...indices.slice(0, -1), ...x.slice(Number(attributes.batch_dims) + tuple)];
}

/** Channels to positions, or back. */
export function blocksMoved(direction: 1 | -1): ShapeRule {
  return ({ shapes: [x], attributes: { blocksize } }) => {
    const size = Number(blocksize) ** direction;
    const factors = [1, size ** -2, size, size];
    return x?.map((dim, axis) => dim && Math.round(dim * factors[axis]));
  };
}

/** Batch and channels kept, a window over the rest. */
export function pooled({ shapes: [x], attributes }: Given): Found {
  const kernel = listOf(attributes.kernel_shape) ?? [];
  return x && [...x.slice(0, 2), ...windowed(attributes, x.slice(2), kernel)];
}

/** Batch and channels kept, one element of the rest. */
export function pooledWhole({ shapes: [x] }: Given): Found {
  return x?.map((dim, axis) => axis < 2 ? dim : 1);
}

/** A convolution, whose weights [output, input / group, …] are the input of this number. */
export function convolved(weights: number): ShapeRule {
  return ({ shapes: { 0: x, [weights]: w }, attributes }) =>
    x && w && [x[0], w[0], ...windowed(attributes, x.slice(2), w.slice(2))];
}

/** A transposed convolution, whose spatial sizes aren't followed. */
export function convolvedBack({ shapes: [x, w], attributes: { group } }: Given): Found {
  return x && w && [x[0], product([w[1], Number(group)]), ...x.slice(2).map(() => undefined)];
}

/**
 * Spatial sizes behind a window that moves over its input (ONNX, Conv and the pools). Sizes rounded up, as `ceil_mode`
 * wants, aren't known here.
 */
function windowed(attributes: Given["attributes"], input: Shape, kernel: Shape): Shape {
  const strides = listOf(attributes.strides) ?? [];
  const dilations = listOf(attributes.dilations) ?? [];
  const pads = listOf(attributes.pads) ?? [];
  const { ceil_mode = 0, auto_pad } = attributes;
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
export function multiplied({ shapes: [x, y], attributes: { transA, transB } }: Given): Found {
  return x && y && [x[transA === 0 ? 0 : 1], y[transB === 0 ? 1 : 0]];
}

/** A product of stacks of matrices, the second of which is the input of this number. */
export function multipliedStacks(second: number): ShapeRule {
  return ({ shapes: { 0: x, [second]: y } }) => {
    if (x === undefined || y === undefined || x.length < 2 || y.length < 2) return undefined;
    const batches = broadcast({ shapes: [x.slice(0, -2), y.slice(0, -2)] });
    return batches && [...batches, x.at(-2), y.at(-1)];
  };
}

/** Einstein's sums, without "…". */
export function summed({ shapes, attributes: { equation } }: Given): Found {
  const [terms, result] = String(equation).replaceAll(" ", "").split("->");
  if (result === undefined || terms.includes(".")) return undefined;
  const sizes = terms.split(",").flatMap((term, i) =>
    [...term].map((label, axis) => [label, shapes[i]?.[axis]] as const)
  );
  return [...result].map((label) =>
    sizes.find(([other, size]) => other === label && size !== undefined)?.[1]
  );
}

/** Attention of [batch, heads, length, size], or of [batch, length, heads · size]. */
export function attended({ shapes: [q, , v] }: Given): Found {
  return q?.length === 4 ? [...q.slice(0, 3), v?.at(-1)] : q && [q[0], q[1], undefined];
}

/** All hidden states of a recurrent layer. */
export function unrolled({ shapes: [x], attributes }: Given): Found {
  const { direction, hidden_size, layout } = attributes;
  const directions = direction === "bidirectional" ? 2 : 1;
  const hidden = hidden_size === undefined ? undefined : Number(hidden_size);
  return x && (layout === 0 ? [x[0], directions, x[1], hidden] : [x[0], x[1], directions, hidden]);
}

/** Batch and channels kept, positions as the grid has them. */
export function sampled({ shapes: [x, grid] }: Given): Found {
  return x && grid && [x[0], x[1], ...grid.slice(1, -1)];
}

/** A picture for each region. */
export function regionsPooled({ shapes: [x, rois], attributes }: Given): Found {
  const { pooled_shape, output_height, output_width } = attributes;
  const size = listOf(pooled_shape) ?? [Number(output_height), Number(output_width)];
  return x && [rois?.[0], x[1], ...size];
}

function listOf(value: Given["attributes"][string] | undefined): readonly number[] | undefined {
  return typeof value === "object" ? value : undefined;
}

/** An axis counted from the start; negative ones count from the end. */
function fromStart(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}
