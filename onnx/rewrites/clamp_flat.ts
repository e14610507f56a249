/**
 * Outputs of convolutions clamped to where the function behind them isn't flat: HardSwish is 0 below −3, GELU is within a
 * millionth of 0 below −5. What lies beyond changes nothing, but would cost a grid its steps: on PaddleOCR's networks a
 * third of the range.
 *
 * @module
 */
import type { NodeProto, TensorProto } from "../file/onnx_pb.ts";
import { editGraph } from "../graph/edit_graph.ts";
import { type GraphIndex, indexGraph } from "../graph/graph_index.ts";
import { type Model, withFields } from "../file/model.ts";
import { makeTensor } from "../file/tensor.ts";
import { nameMaker } from "../graph/names.ts";
import { isOperator, makeNode } from "../graph/node.ts";
import { constantFloats } from "../graph/constant_value.ts";
import { viewNode } from "../graph/node_view.ts";
import { clampRange, keptBy } from "../operators/operators.ts";
import { scalarFunction } from "../operators/scalar_functions.ts";

/** A tensor that is clamped now. */
export interface ClampedTensor {
  readonly tensor: string;
  /** Infinite where the function isn't flat on that side. */
  readonly low: number;
  readonly high: number;
}

/** Which end of a constant per channel a function is computed with. */
type End = 0 | 1;
type Function = (x: number, end: End) => number;

/** Largest change of a result beyond a bound. */
const TOLERANCE = 1e-6;
/** How far beyond a bound a function is looked at, as parts of the bound's size. */
const BEYOND = [0.02, 0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 64, 1024];
/** Magnitudes of bounds, 16 to an octave: 1/16 to 256. */
const MAGNITUDES = Array.from(
  { length: 12 * 16 },
  (_, i) => 2 ** (Math.floor(i / 16) - 4) * (1 + (i % 16) / 16),
);
/** A function of more nodes is none that somebody wrote. */
const MOST_NODES = 32;

/**
 * Puts a Clip behind each convolution whose output only goes into functions of single elements that are flat on one side
 * or both. Outputs of the model change by no more than what a millionth does to them.
 */
export function clampFlat(model: Model): { model: Model; clamped: readonly ClampedTensor[] } {
  const index = indexGraph(model.graph);
  const newName = nameMaker(model.graph);
  const replace = new Map<NodeProto, NodeProto>();
  const add: NodeProto[] = [];
  const initializers: TensorProto[] = [];
  const clamped: ClampedTensor[] = [];
  for (const node of index.nodes) {
    if (!isOperator(node, "Conv") || !index.initializers.has(node.input[1])) continue;
    const [tensor] = node.output;
    const functions = functionsBehind(tensor, index);
    if (functions === undefined) continue;
    const low = flatBeyond(functions, -1);
    const high = flatBeyond(functions, 1);
    if (low === undefined && high === undefined) continue;
    const open = newName(`${tensor}/open`);
    const bound = (value: number | undefined, role: string): string => {
      if (value === undefined) return "";
      const name = newName(`${tensor}/${role}`);
      initializers.push(makeTensor(name, [], Float32Array.of(value)));
      return name;
    };
    const [least, most] = [bound(low, "low"), bound(high, "high")];
    const bounds = most === "" ? [least] : [least, most];
    replace.set(node, withFields(node, { output: [open] }));
    add.push(makeNode("Clip", newName(`${tensor}/Clip`), [open, ...bounds], [tensor]));
    clamped.push({ tensor, low: low ?? -Infinity, high: high ?? Infinity });
  }
  return {
    model: clamped.length === 0 ? model : editGraph(model, { replace, add, initializers }),
    clamped,
  };
}

/**
 * What becomes of one element of a tensor where it leaves the functions of single elements behind it; undefined where
 * something else reads it as it is, or a clamp alone does.
 */
function functionsBehind(tensor: string, index: GraphIndex): Function[] | undefined {
  const known = new Map<string, Function>([[tensor, (x) => x]]);
  const open = [tensor];
  const visited = new Set<NodeProto>();
  let isOnlyClamped = true;
  for (let name = open.shift(); name !== undefined; name = open.shift()) {
    for (const reader of index.consumers.get(name) ?? []) {
      if (visited.has(reader)) continue;
      // What reads another tensor of these functions as well comes up again with that one.
      const found = functionOf(reader, known, index);
      if (found === undefined) continue;
      visited.add(reader);
      if (visited.size > MOST_NODES) return;
      const view = viewNode(reader);
      if (clampRange(view, index) === undefined && keptBy(view) !== "elements") {
        isOnlyClamped = false;
      }
      known.set(reader.output[0], found);
      open.push(reader.output[0]);
    }
  }
  const left = [...known].filter(([name]) =>
    index.outputs.has(name) ||
    (index.consumers.get(name) ?? []).some((reader) => !visited.has(reader))
  );
  if (isOnlyClamped || left.some(([name]) => name === tensor)) return;
  return left.map(([, found]) => found);
}

/** The function of a node of known tensors and constants; undefined for others. */
function functionOf(
  node: NodeProto,
  known: ReadonlyMap<string, Function>,
  index: GraphIndex,
): Function | undefined {
  const view = viewNode(node);
  if (keptBy(view) === "elements" && node.output.length === 1) return known.get(node.input[0]);
  const compute = scalarFunction(view, index);
  if (compute === undefined) return;
  const inputs = node.input.filter((name) => name !== "").map((name): Function | undefined => {
    const made = known.get(name);
    if (made !== undefined) return made;
    const constant = constantFloats(index, name);
    if (constant === undefined || constant.data.length === 0) return;
    let [least, most] = [Infinity, -Infinity];
    for (const value of constant.data) {
      least = Math.min(least, value);
      most = Math.max(most, value);
    }
    return (_, end) => end === 0 ? least : most;
  });
  if (!inputs.every((input) => input !== undefined)) return;
  return (x, end) => compute(inputs.map((input) => input(x, end)));
}

/** The smallest bound on a side beyond which all functions are flat; undefined when there is none. */
function flatBeyond(functions: readonly Function[], side: -1 | 1): number | undefined {
  // Outermost first: a function that isn't flat there is flat nowhere.
  let found: number | undefined;
  for (const size of MAGNITUDES.toReversed()) {
    const bound = side * size;
    const isFlat = functions.every((f) =>
      ([0, 1] as const).every((end) => {
        const at = f(bound, end);
        return BEYOND.every((part) =>
          Math.abs(f(bound + side * part * size, end) - at) <= TOLERANCE * Math.max(1, Math.abs(at))
        );
      })
    );
    if (!isFlat) break;
    found = bound;
  }
  return found;
}
