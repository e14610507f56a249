/**
 * What units and tensors may be, and what was chosen for them.
 *
 * @module
 */
import { overridesFor } from "../../tpc/placement/overrides.ts";
import type { PlacedUnit, Placement, WeightPlan } from "../../tpc/placement/types.ts";
import type { Target } from "../../tpc/targets/target.ts";

/** What a unit may be: with codes, with floats whose weights are stored in codes, with floats altogether. */
export type UnitChoice =
  /** `weightBits` where it has weights that are quantized. */
  | { readonly kind: "integer"; readonly weightBits?: number }
  | { readonly kind: "stored"; readonly weightBits: number }
  | { readonly kind: "float" };

/** Bits of the codes of a tensor, with all that share its grid; 0 = no codes. */
export type TensorChoice = number;

/** All that may be chosen, in the order of `placement.units` and of the tensors with grids of their own. */
export interface Choices {
  /** Of each unit; one that computes with floats in any case has that alone. */
  readonly units: readonly (readonly UnitChoice[])[];
  /** By tensor with a grid of its own. */
  readonly tensors: ReadonlyMap<string, readonly TensorChoice[]>;
}

/**
 * What a target allows for each unit and tensor of a placement: what it places, and what its `options` add.
 *
 * @param placement Where nothing is float that the target can have on integers.
 */
export function choicesOf(placement: Placement, target: Target): Choices {
  const { float = false, weightBits = [], activationBits = [] } = target.options ?? {};
  const weightsOf = weightsOfUnits(placement);
  const named = namedTensors(target);
  const unique = (usual: number, further: readonly number[]) => [...new Set([usual, ...further])];
  return {
    units: placement.units.map(({ kind, nodes, isPinned = false }): UnitChoice[] => {
      if (kind !== "integer") return [{ kind: "float" }];
      const isFree = float && !isPinned;
      const plan = weightsOf({ nodes });
      if (plan === undefined) {
        return [{ kind: "integer" }, ...(isFree ? [{ kind: "float" as const }] : [])];
      }
      const { bits } = plan.spec;
      return [
        ...unique(bits, weightBits).map((n) => ({ kind: "integer" as const, weightBits: n })),
        ...(isFree ? [{ kind: "stored" as const, weightBits: bits }] : []),
        ...(isFree ? [{ kind: "float" as const }] : []),
      ];
    }),
    tensors: new Map(
      placement.activations.filter(({ sameAs }) => sameAs === undefined).map(({ tensor, spec }) => {
        const isFixed = spec.fixedGrid !== undefined;
        const usual = unique(spec.bits, isFixed ? [] : activationBits);
        return [tensor, float && !named(tensor) ? [...usual, 0] : usual];
      }),
    ),
  };
}

/** What finds the quantized weights of a unit; undefined where it has none. */
export function weightsOfUnits(
  { weights }: Pick<Placement, "weights">,
): (unit: Pick<PlacedUnit, "nodes">) => WeightPlan | undefined {
  const plans = new Map(weights.map((plan) => [plan.node, plan]));
  return ({ nodes }) => {
    const layer = nodes.find((node) => plans.has(node));
    return layer === undefined ? undefined : plans.get(layer);
  };
}

/** Whether an override names a tensor: what was said of its grid must have one. */
function namedTensors({ overrides = [] }: Target): (tensor: string) => boolean {
  const grids = overrides.filter(({ activation, match }) =>
    activation !== undefined && match.tensor !== undefined
  );
  return (tensor) => overridesFor({ overrides: grids }, [{ tensor }]).length > 0;
}

/** Where weights can be stored in codes, floats with float32 weights are no choice. */
export function withoutFloatWeights<T extends { readonly kind: string }>(
  choices: readonly T[],
): T[] {
  const isStored = choices.some(({ kind }) => kind === "stored");
  return choices.filter(({ kind }) => !isStored || kind !== "float");
}
