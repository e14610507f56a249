/** Targets that put layers on integers that are too small to be worth it: tests are small. */
import type { Target } from "../../tpc/targets/target.ts";

/** The target without its sets of layers with few multiplications, and without costs. */
export function withSmallLayers({ costs: _, ...target }: Target): Target {
  const operatorSets = target.operatorSets.filter(({ multiplicationsBelow }) =>
    multiplicationsBelow === undefined
  );
  return { ...target, operatorSets };
}

/** The target with everything on integers that has a kernel, whether that pays or not. */
export function withAllOnIntegers(target: Target): Target {
  const operatorSets = withSmallLayers(target).operatorSets.map(({ onlyIfCheaper: _, ...set }) =>
    set.operators.includes("Softmax")
      ? { ...set, use: "quantized" as const, output: { fixedRange: true as const } }
      : set
  );
  return { ...target, operatorSets, keepFloat: [], settings: [] };
}
