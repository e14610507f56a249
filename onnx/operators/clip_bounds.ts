/**
 * Bounds of Clip: attributes up to opset 10, inputs from 11 on.
 *
 * @module
 */
import type { NodeProto, TensorProto } from "onnx-buf";
import { constantFloats } from "../graph/constant_value.ts";
import type { GraphIndex } from "../graph/graph_index.ts";
import { withFields } from "../file/model.ts";
import { floatAttribute, isOperator } from "../graph/node.ts";
import { makeTensor } from "../file/tensor.ts";

/** Range that a Clip leaves; infinite where it has no bound. */
export interface ClipBounds {
  readonly low: number;
  readonly high: number;
}

/** The bounds of a Clip; undefined for other nodes and for bounds that aren't float32 constants. */
export function clipBounds(node: NodeProto, index: GraphIndex): ClipBounds | undefined {
  if (!isOperator(node, "Clip")) return;
  const bound = (input: number, attribute: string, fallback: number) => {
    const name = node.input[input] ?? "";
    return name === ""
      ? floatAttribute(node, attribute, fallback)
      : constantFloats(index, name)?.data[0];
  };
  const low = bound(1, "min", -Infinity);
  const high = bound(2, "max", Infinity);
  return low === undefined || high === undefined ? undefined : { low, high };
}

/**
 * A Clip with another upper bound in place of the one that it has, written as that one is. A bound
 * that is an input becomes a new constant, since Clips like to share theirs.
 */
export function withUpperBound(
  clip: NodeProto,
  high: number,
  { index, newName }: { index: GraphIndex; newName: (wish: string) => string },
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
