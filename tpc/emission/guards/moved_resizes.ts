/**
 * Resize between quantizers, beside a Transpose.
 *
 * From level `extended` on ONNX Runtime (1.30 and 1.32) moves Transposes through quantizers and through Resize, whose
 * interpolation then runs along axes that the kernel refuses: "'Cubic' mode only support 2-D inputs …", "'Linear' mode
 * only supports …". Nearest neighbours take any axes; linear interpolation takes channels at the end, too.
 *
 * @module
 */
import type { NodeProto } from "../../../onnx/file/onnx_pb.ts";
import type { GraphIndex } from "../../../onnx/graph/graph_index.ts";
import { intsAttribute, isOperator, stringAttribute } from "../../../onnx/graph/node.ts";

/** Transposes that put the channels last behind a node, or take them from there before it. */
const TO_CHANNELS_LAST = [0, 2, 3, 1];
const FROM_CHANNELS_LAST = [0, 3, 1, 2];
/** Nodes that are looked at on either side; optimizers move step by step, and layers stop them. */
const REACH = 8;
const LAYERS = ["Conv", "ConvTranspose", "Gemm", "MatMul"] as const;

/** Whether a Transpose would be moved through a Resize that then can't run. */
export function isMoved(node: NodeProto, index: GraphIndex): boolean {
  if (!isOperator(node, "Resize")) return false;
  const mode = stringAttribute(node, "mode", "nearest");
  if (mode === "nearest") return false;
  const [input, output] = [node.input[0], node.output[0]];
  const isQuantized = index.producers.get(input)?.opType === "DequantizeLinear" ||
    (index.consumers.get(output) ?? []).some(({ opType }) => opType === "QuantizeLinear");
  const before = transposesFrom(input, index, "before");
  const behind = transposesFrom(output, index, "behind");
  const isFit = mode === "linear" && before.every((perm) => isSame(perm, FROM_CHANNELS_LAST)) &&
    behind.every((perm) => isSame(perm, TO_CHANNELS_LAST));
  return isQuantized && !isFit && [...before, ...behind].some((perm) => perm.length === 4);
}

/** Permutations of the Transposes on one side of a tensor. */
function transposesFrom(tensor: string, index: GraphIndex, side: "before" | "behind"): number[][] {
  const found: number[][] = [];
  let names = [tensor];
  for (let step = 0; step < REACH && names.length > 0; step++) {
    const nodes = names.flatMap((name) => {
      const producer = index.producers.get(name);
      return side === "behind" ? index.consumers.get(name) ?? [] : producer ? [producer] : [];
    }).filter((node) => !isOperator(node, ...LAYERS));
    for (const node of nodes) {
      if (isOperator(node, "Transpose")) found.push(intsAttribute(node, "perm") ?? [3, 2, 1, 0]);
    }
    names = nodes.flatMap(({ input, output }) => side === "behind" ? output : input.slice(0, 1));
  }
  return found;
}

function isSame(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((axis, i) => axis === b[i]);
}
