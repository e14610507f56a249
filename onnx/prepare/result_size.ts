/**
 * How large the result of a node with constant inputs is, before it is computed.
 *
 * @module
 */
import { own } from "../../core/own.ts";
import type { NodeProto } from "../file/onnx_pb.ts";
import { elementCount } from "../file/tensor.ts";
import type { GraphIndex } from "../graph/graph_index.ts";
import { viewNode } from "../graph/node_view.ts";
import { completeNode, operatorOf } from "../operators/operators.ts";
import type { Given, Shape } from "../operators/shape_rules.ts";

/** Bytes of an element of a result, as float32 has; few constants are wider. */
export const ELEMENT_BYTES = 4;

/** What is known of a result. */
export interface ResultSize {
  /** Shape of the first output as far as it is known. */
  readonly shape: Shape | undefined;
  /** Elements of each output at most; undefined where nothing bounds them yet. */
  readonly elements: number | undefined;
}

/**
 * Finds the size of a node's outputs from its inputs alone: what the file declares about it may be a lie.
 *
 * @param shapes Those of constants, and of what is computed from them.
 */
export function resultSize(
  node: NodeProto,
  { index, shapes }: {
    readonly index: GraphIndex;
    readonly shapes: ReadonlyMap<string, Shape | undefined>;
  },
): ResultSize {
  const view = viewNode(node);
  const operator = operatorOf(view);
  if (operator === undefined) return { shape: undefined, elements: undefined };
  const given: Given = {
    inputs: view.inputs,
    shapes: view.inputs.map((input) => shapes.get(input)),
    attributes: completeNode(view, operator).attributes,
    constant: (input) => index.numbers(view.inputs[input]),
  };
  const shape = operator.shape(given);
  const exact = shape && countOf(shape);
  if (exact !== undefined) return { shape, elements: exact };
  const bound = own(BOUNDS, node.opType)?.(given);
  return {
    shape: shape?.map((dim) => dim !== undefined && dim >= 0 ? dim : undefined),
    elements: bound !== undefined && bound >= 0 ? bound : undefined,
  };
}

/** Elements of a shape whose sizes are all known. */
function countOf(shape: Shape): number | undefined {
  return shape.every((dim) => dim !== undefined && dim >= 0)
    ? elementCount(shape as number[])
    : undefined;
}

/** Elements of all inputs together. */
function ofInputs({ inputs, shapes }: Given): number | undefined {
  let sum = 0;
  for (const [i, name] of inputs.entries()) {
    if (name === "") continue;
    const count = shapes[i] && countOf(shapes[i]);
    if (count === undefined) return undefined;
    sum += count;
  }
  return sum;
}

/** Elements of the first input, those of each axis made `more(size, axis)`. */
function grown({ shapes: [x] }: Given, more: (size: number, axis: number) => number) {
  if (x === undefined || countOf(x) === undefined) return undefined;
  return elementCount((x as number[]).map(more));
}

/** The most elements of results whose shape depends on more than shapes, by operator. */
const BOUNDS: Readonly<Record<string, (given: Given) => number | undefined>> = {
  ...Object.fromEntries(
    [
      "Compress",
      "Flatten",
      "GatherND",
      "MatMul",
      "Reshape",
      "Slice",
      "Split",
      "Squeeze",
      "TopK",
      "Unique",
      "Unsqueeze",
      ...["L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare"]
        .map((name) => `Reduce${name}`),
    ].map((name) => [name, ofInputs]),
  ),
  // A row of numbers for each axis.
  NonZero: (given) => (ofInputs(given) ?? NaN) * Math.max(1, given.shapes[0]?.length ?? NaN),
  Range: ({ constant }) => {
    const [start, limit, delta] = [0, 1, 2].map((input) => constant(input)?.[0] ?? NaN);
    return Math.max(0, Math.ceil((limit - start) / delta));
  },
  Pad: (given) => {
    const pads = given.constant(1) ?? listOf(given.attributes.pads);
    const most = pads?.reduce((sum, size) => sum + Math.max(0, size), 0);
    return most === undefined ? undefined : grown(given, (size) => size + most);
  },
  Resize: (given) => {
    const sizes = given.constant(3);
    // Sizes count for some axes, scales for all or some: none is smaller than without them.
    const factors = given.constant(given.inputs.length === 2 ? 1 : 2) ?? [];
    return sizes !== undefined && sizes.length > 0
      ? grown(given, (size) => Math.max(size, ...sizes))
      : factors.length > 0
      ? grown(given, (size) => size * Math.max(1, ...factors))
      : undefined;
  },
  Upsample: (given) => {
    const factors = given.constant(1) ?? listOf(given.attributes.scales);
    return factors && grown(given, (size) => size * Math.max(1, ...factors));
  },
  OneHot: (given) => {
    const [depth] = given.constant(1) ?? [];
    return depth === undefined ? undefined : (grown(given, (size) => size) ?? NaN) * depth;
  },
  ...Object.fromEntries(
    ["BlackmanWindow", "HammingWindow", "HannWindow"]
      .map((name) => [name, ({ constant }: Given) => constant(0)?.[0]]),
  ),
};

function listOf(value: Given["attributes"][string] | undefined): readonly number[] | undefined {
  return typeof value === "object" ? value : undefined;
}
