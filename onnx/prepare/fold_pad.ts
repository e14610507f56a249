/**
 * Folding of Pad into the convolutions and pools that read it.
 *
 * @module
 */
import type { NodeProto } from "../file/onnx_pb.ts";
import { constantNumbers } from "../graph/constant_value.ts";
import { editGraph, repeatPass } from "../graph/edit_graph.ts";
import { type GraphIndex, indexGraph } from "../graph/graph_index.ts";
import { type Model, withFields } from "../file/model.ts";
import {
  intAttribute,
  intsAttribute,
  isOperator,
  stringAttribute,
  withAttributes,
} from "../graph/node.ts";
import { nonNegativeTensors } from "../operators/non_negative.ts";

/** Padding of the spatial axes, as the attribute `pads` of Conv and the pools has it. */
interface SpatialPadding {
  /** The tensor before the padding. */
  readonly input: string;
  /** What the padding consists of. */
  readonly value: number;
  /** Begin of each spatial axis, then end of each. */
  readonly pads: readonly number[];
}

/** Facts about a graph that all folds of a pass share. */
interface Context {
  readonly index: GraphIndex;
  readonly nonNegative: ReadonlySet<string>;
}

/**
 * Takes out each Pad with constant, non-negative padding of spatial axes when every reader can do
 * the padding itself:
 *
 * - Conv pads with 0: Pad(0) adds to its `pads`.
 * - AveragePool with `count_include_pad` pads with 0, too.
 * - MaxPool leaves its padding out of the maximum. That is Pad(−∞), and Pad(0) of a tensor without
 *   negative elements: since every padding is smaller than the kernel, each window has a real element.
 *
 * A Pad that others read as well, that is an output of the model, or whose reader pads by
 * `auto_pad = SAME_*` (then the padding depends on the padded size) stays.
 *
 * Expects constants to be folded and opset 11 or newer, where the padding is an input.
 */
export function foldPad(model: Model): Model {
  // A Pad behind a Pad folds once the later one has gone.
  return repeatPass(model, foldOnce);
}

function foldOnce(model: Model): Model {
  const index = indexGraph(model.graph);
  const context = { index, nonNegative: nonNegativeTensors(index) };
  const remove = new Set<NodeProto>();
  const replace = new Map<NodeProto, NodeProto>();
  for (const pad of index.nodes) {
    const [padded] = pad.output;
    const readers = index.consumers.get(padded) ?? [];
    if (!isOperator(pad, "Pad") || readers.length === 0 || index.outputs.has(padded)) continue;
    if (readers.some((reader) => replace.has(reader))) continue;
    const folded = readers.map((reader) => foldInto(reader, pad, context));
    if (!folded.every((node) => node !== undefined)) continue;
    remove.add(pad);
    readers.forEach((reader, i) => replace.set(reader, folded[i]));
  }
  return remove.size === 0 ? model : editGraph(model, { remove, replace });
}

/** The reader with the padding as its own, or undefined where that would change a result. */
function foldInto(reader: NodeProto, pad: NodeProto, context: Context): NodeProto | undefined {
  if (!isOperator(reader, "Conv", "AveragePool", "MaxPool")) return;
  if (reader.input.lastIndexOf(pad.output[0]) !== 0) return;
  if (!["NOTSET", "VALID"].includes(stringAttribute(reader, "auto_pad", "NOTSET"))) return;
  const rank = spatialRank(reader, context.index);
  const padding = rank === undefined ? undefined : spatialPadding(pad, rank, context.index);
  if (rank === undefined || padding === undefined) return;
  const own = ownPads(reader, rank);
  const pads = padding.pads.map((size, i) => size + own[i]);
  const isExact = reader.opType === "Conv"
    ? padding.value === 0
    : canPool(reader, padding, { pads, own }, context);
  if (!isExact) return;
  const counts = reader.opType === "AveragePool" ? { count_include_pad: 1 } : {};
  const input = [padding.input, ...reader.input.slice(1)];
  return withFields(withAttributes(reader, { pads, auto_pad: undefined, ...counts }), { input });
}

/** Whether a pool gives the same with this padding as its own. */
function canPool(
  pool: NodeProto,
  { input, value }: SpatialPadding,
  { pads, own }: { pads: readonly number[]; own: readonly number[] },
  { nonNegative }: Context,
): boolean {
  const kernel = intsAttribute(pool, "kernel_shape") ?? [];
  // With ceil_mode the last window reaches beyond the padding, and how far depends on it.
  if (intAttribute(pool, "ceil_mode", 0) !== 0) return false;
  // ONNX Runtime refuses pads as large as the kernel; below that each window has a real element.
  if (!pads.every((size, i) => size < kernel[i % kernel.length])) return false;
  if (pool.opType === "AveragePool") {
    const countsOwn = intAttribute(pool, "count_include_pad", 0) !== 0;
    return value === 0 && (countsOwn || own.every((size) => size === 0));
  }
  // Indices of a MaxPool count the elements of its input, which is another one afterwards.
  if ((pool.output[1] ?? "") !== "") return false;
  // A dilated window may jump over the real elements.
  if (!(intsAttribute(pool, "dilations") ?? []).every((step) => step === 1)) return false;
  return value <= LOWEST || value <= 0 && nonNegative.has(input);
}

/** The lowest float32: what MaxPool starts from. */
const LOWEST = -3.4028234663852886e38;

/** Number of spatial axes of what a Conv or pool reads. */
function spatialRank(node: NodeProto, index: GraphIndex): number | undefined {
  const kernel = intsAttribute(node, "kernel_shape");
  if (kernel !== undefined && kernel.length > 0) return kernel.length;
  const weight = node.opType === "Conv" ? index.initializers.get(node.input[1]) : undefined;
  return weight && weight.dims.length - 2;
}

function ownPads(node: NodeProto, rank: number): number[] {
  const isExplicit = stringAttribute(node, "auto_pad", "NOTSET") === "NOTSET";
  const none = new Array<number>(2 * rank).fill(0);
  const pads = isExplicit ? intsAttribute(node, "pads") ?? [] : [];
  return pads.length === 0 ? none : pads;
}

/** Padding of a Pad when it is constant, positive or zero, and on spatial axes only. */
function spatialPadding(
  pad: NodeProto,
  spatialRank: number,
  index: GraphIndex,
): SpatialPadding | undefined {
  if (stringAttribute(pad, "mode", "constant") !== "constant") return;
  const [input, padsName, valueName = "", axesName = ""] = pad.input;
  const given = constantNumbers(index, padsName);
  const value = valueName === "" ? 0 : constantNumbers(index, valueName)?.[0];
  const rank = spatialRank + 2;
  const axes = axesName === ""
    ? Array.from({ length: rank }, (_, axis) => axis)
    : constantNumbers(index, axesName);
  if (given === undefined || value === undefined || axes === undefined) return;
  if (
    given.length !== 2 * axes.length ||
    !given.every((size) => size >= 0 && Number.isSafeInteger(size))
  ) return;
  const pads = new Array<number>(2 * spatialRank).fill(0);
  for (const [i, axis] of axes.entries()) {
    const spatial = (axis < 0 ? axis + rank : axis) - 2;
    if (spatial < -2 || spatial >= spatialRank) return;
    const [begin, end] = [given[i], given[axes.length + i]];
    if (spatial < 0 && (begin !== 0 || end !== 0)) return;
    if (spatial < 0) continue;
    pads[spatial] += begin;
    pads[spatialRank + spatial] += end;
  }
  return { input, value, pads };
}
