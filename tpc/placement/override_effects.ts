/**
 * Overrides that fit something and change nothing: asked for in vain, and refused.
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";
import type { Override, Target } from "../targets/target.ts";
import type { GraphView } from "./graph_view.ts";
import { describeOverride, overridesFor } from "./overrides.ts";
import { nameOf, subjectsOf, type Unit } from "./units.ts";

/** What an override can change of a quantizer. */
type Part = "activation" | "weight" | "compute";

/** Which overrides have changed something. */
export class OverrideEffects {
  readonly #applied: Readonly<Record<Part, Set<Override>>> = {
    activation: new Set(),
    weight: new Set(),
    compute: new Set(),
  };

  /** Remembers that an override has changed a quantizer. */
  note(override: Override, part: Part): void {
    this.#applied[part].add(override);
  }

  /**
   * Finds overrides that fit nothing, which is a typing error more often than not, or change nothing.
   *
   * @throws {PlimsollError} kind `target`, saying why.
   */
  check(
    target: Target,
    units: readonly Unit[],
    graph: GraphView,
    whyFloat: (unit: Unit) => string | undefined,
  ): void {
    const inputs = graph.outline.inputs.map(({ name }) => [{ tensor: name }]);
    for (const override of target.overrides ?? []) {
      if (override.optional) continue;
      const one = { overrides: [override] };
      const fitting = units.filter((unit) => overridesFor(one, subjectsOf(unit)).length > 0);
      const name = describeOverride(override);
      if (fitting.length === 0 && inputs.every((input) => overridesFor(one, input).length === 0)) {
        throw refuse("a tensor or node that each of them fits", `none for ${name}`, LIST);
      }
      for (const part of ["activation", "weight", "compute"] as const) {
        if (override[part] === undefined || this.#applied[part].has(override)) continue;
        const why = fitting.map((unit) =>
          `${unit.op} ${nameOf(unit)}: ${whyNot(unit, part, whyFloat)}`
        );
        throw refuse(
          `${whatOf(part, override)} that each of them changes`,
          `none for ${name} (${why.slice(0, 3).join("; ") || "an input of the model without one"})`,
          REMEDIES[part],
        );
      }
    }
  }
}

const WHAT: Readonly<Record<Part, string>> = {
  activation: "a quantizer of an activation",
  weight: "a quantizer of weights",
  compute: "how something computes",
};
function whatOf(part: Part, { compute }: Override): string {
  return part === "compute" && compute === "dynamic"
    ? "a MatMul or Gemm with a constant matrix, or an LSTM with constant weights,"
    : WHAT[part];
}

const LIST = "`inspect` lists the names; * stands for anything in them";
const REMEDIES: Readonly<Record<Part, string>> = {
  activation:
    "Override the tensor whose grid it has, or leave the override out; `inspect` lists what is quantized",
  compute:
    "Give a node that can be quantized, for dynamic a MatMul, Gemm or LSTM with constant weights; `inspect` lists them",
  weight: "Give a node with weights that are quantized; `inspect` lists them",
};

function whyNot(unit: Unit, part: Part, whyFloat: (unit: Unit) => string | undefined): string {
  const reason = whyFloat(unit);
  if (reason !== undefined) return `float, ${reason}`;
  if (part === "compute") return "no layer that can compute so";
  return part === "weight" ? "no quantized weights" : "no grid of its own";
}

function refuse(wanted: string, found: string, remedy: string): PlimsollError {
  return new PlimsollError("target", {
    action: "applying overrides to the model",
    wanted,
    found,
    remedy,
  });
}
