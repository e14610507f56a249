/**
 * Layers that were left float one by one, with weights in codes: the file stays small, and the kernel gets floats as
 * soon as the model is loaded.
 *
 * @module
 */
import { overridesFor } from "./overrides.ts";
import type { WeightPlan } from "./types.ts";
import { subjectsOf, type Unit } from "./units.ts";
import type { WeightContext } from "./weight_plans.ts";
import { planLayer } from "./weight_only.ts";

/** Weights of what overrides leave float so; those that are too few to gain by stay float32. */
export function keptPlans(units: readonly Unit[], context: WeightContext): WeightPlan[] {
  const { target, effects } = context;
  return units.flatMap((unit) => {
    const overrides = overridesFor(target, subjectsOf(unit)).filter(({ compute }) =>
      compute === "float"
    );
    if (overrides.length === 0) return [];
    for (const override of overrides) effects.note(override, "compute");
    const plan = planLayer(unit, "int8", context);
    if (plan === undefined || typeof plan === "string") return [];
    const { blockSize: _, ...spec } = plan.spec;
    return [{
      ...plan,
      // Blocks have a kernel of their own, of four bits.
      spec: spec.granularity === "block" ? { ...spec, granularity: "channel" } : spec,
    }];
  });
}
