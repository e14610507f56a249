/**
 * Tensors that are wrong though what they are made from is right: an overflow, a kernel that computes something else, a
 * runtime's optimizer, or a function that magnifies small errors.
 *
 * @module
 */
import type { Model } from "../../onnx/file/model.ts";
import { outlineGraph } from "../../onnx/graph/outline.ts";
import type { TensorError } from "./diagnosis.ts";

/** dB by which the accumulated SQNR must be below the local one, and below that of all sources. */
const FAR_BELOW = 15;

/** A tensor of the quantized model with its errors. */
export interface FaultCandidate {
  /** Its name in the quantized model. */
  readonly quantized: string;
  readonly local: TensorError;
  readonly accumulated: TensorError;
}

/**
 * Finds them.
 *
 * @returns Names in the quantized model.
 */
export function findFaults(model: Model, candidates: readonly FaultCandidate[]): Set<string> {
  const known = new Map(candidates.map((entry) => [entry.quantized, entry]));
  const producers = new Map(
    outlineGraph(model.graph).nodes.flatMap((node) =>
      node.outputs.map((name) => [name, node] as const)
    ),
  );
  const sourcesOf = (name: string) => {
    const [sources, seen, todo] = [[] as FaultCandidate[], new Set<string>(), [name]];
    for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
      for (const input of producers.get(next)?.inputs ?? []) {
        if (seen.has(input)) continue;
        seen.add(input);
        const source = known.get(input);
        if (source === undefined) todo.push(input);
        else sources.push(source);
      }
    }
    return sources;
  };
  const isFault = ({ quantized, local, accumulated }: FaultCandidate) => {
    const limit = decibelsOf(accumulated) + FAR_BELOW;
    return decibelsOf(local) > limit &&
      sourcesOf(quantized).every((source) => decibelsOf(source.accumulated) > limit);
  };
  return new Set(candidates.filter(isFault).map(({ quantized }) => quantized));
}

/** Without an error infinite, as without a signal. */
function decibelsOf({ sqnr }: TensorError): number {
  return sqnr ?? Infinity;
}
