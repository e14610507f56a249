/** Errors by their definition, one element after the other. */
import type { Levels } from "../../core/grid.ts";

/** Σ |Q(x) − x|^p / n in float64. */
export function trueError(values: Float32Array, { step, low, high }: Levels, p: number): number {
  let sum = 0;
  for (const x of values) {
    const code = Math.min(Math.max(Math.round(x / step), low), high);
    sum += Math.abs(code * step - x) ** p;
  }
  return sum / values.length;
}
