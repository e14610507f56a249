/** Targets whose layers all give integers, those at the end of a model, too. */
import type { Target } from "../../tpc/targets/target.ts";

/** The target without operator sets that can give float. */
export function withQuantizedOutputs(target: Target): Target {
  const operatorSets = target.operatorSets.map(({ floatOutput: _, ...set }) => set);
  return { ...target, operatorSets };
}
