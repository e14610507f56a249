/**
 * Units that overrides want on integers, whatever costs say.
 *
 * @module
 */
import type { Target } from "../targets/target.ts";
import type { OverrideEffects } from "./override_effects.ts";
import { overridesFor } from "./overrides.ts";
import { subjectsOf, type Unit } from "./units.ts";

/**
 * The units whose last override of `compute` wants integers.
 *
 * @param units Those that can compute with integers.
 */
export function pinnedUnits(
  units: readonly Unit[],
  target: Target,
  effects: OverrideEffects,
): Set<Unit> {
  return new Set(units.filter((unit) => {
    const overrides = overridesFor(target, subjectsOf(unit)).filter(({ compute }) =>
      compute !== undefined
    );
    for (const override of overrides) {
      if (override.compute === "integer") effects.note(override, "compute");
    }
    return overrides.at(-1)?.compute === "integer";
  }));
}
