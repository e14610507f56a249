/** Targets that put layers on integers that are too small to be worth it: tests are small. */
import type { Target } from "../../tpc/targets/target.ts";

/** The target without its sets of layers with few multiplications. */
export function withSmallLayers(target: Target): Target {
  const operatorSets = target.operatorSets.filter(({ multiplicationsBelow }) =>
    multiplicationsBelow === undefined
  );
  return { ...target, operatorSets };
}
