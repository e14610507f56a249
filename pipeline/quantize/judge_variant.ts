/**
 * Right or refused: a made variant is run before anything is called written. Where the runtime computes something else
 * than what is written, the node that it begins at is left float and the variant made anew; what can't be mended so is
 * refused.
 *
 * @module
 */
import { timed } from "../../core/timing.ts";
import type { PlimsollError } from "../../core/errors.ts";
import { wordOptions } from "../../core/option_words.ts";
import { faultError } from "../verdict/check_model.ts";
import { limitsOf, lossesOfGrids } from "../verdict/limits.ts";
import { judgeModel, type Reference, type Verdict } from "../verdict/verdict.ts";
import type { Statistics } from "../statistics/statistics.ts";
import { notesOnStatistics } from "../verdict/suspicious_data.ts";
import { type Planned, withOverrides } from "./plan_passes.ts";
import type { Quantization, RunOptions } from "./run.ts";

/** Nodes that are left float for one variant, at most: more are no accident. */
const MOST_REPAIRS = 8;

/** Outputs of the float model to judge by, and where their samples come from. */
export interface JudgedOn {
  readonly reference: Reference;
  readonly data: Verdict["data"];
  /** Those that the variant is decided from. */
  readonly statistics: Statistics;
}

/**
 * Makes a variant, runs it, and mends what can be mended.
 *
 * @param make Makes the variant, or what a repair has made of it.
 * @throws {PlimsollError} kind `model` for a model that the runtime doesn't compute as it is written.
 */
export async function makeJudged(
  variant: Planned,
  make: (variant: Planned) => Promise<Quantization>,
  { reference, data, statistics }: JudgedOn,
  { runtime, signal, onEvent, onTime, wording }: RunOptions,
): Promise<Quantization> {
  let current = variant;
  for (let repairs = 0;; repairs++) {
    const made = await make(current);
    const limits = limitsOf(current.recipe);
    const { verdict, fault } = await timed(
      onTime,
      "judge",
      () => judgeModel(made.emitted, reference, { data, limits, runtime, signal }),
    );
    if (verdict !== undefined) {
      const lost = [...verdict.lost, ...lossesOfGrids(made.manifest)];
      const notes = notesOnStatistics({
        model: made.float.original,
        statistics,
        manifest: made.manifest,
      }).map((note) => wordOptions(note, wording));
      return { ...made, verdict: { ...verdict, lost, notes } };
    }
    const { node } = fault;
    if (node === undefined || repairs === MOST_REPAIRS || !isQuantized(made, node)) {
      throw faultError(fault);
    }
    await onEvent?.({
      kind: "note",
      text: `${variant.name}: ${node} is left float: ${fault.what}, at level ${fault.level}`,
    });
    current = withFloat(current, node, faultError(fault));
  }
}

/** Whether leaving the node float would change anything. */
function isQuantized({ manifest }: Quantization, node: string): boolean {
  return manifest.weights.some((entry) => entry.node === node) ||
    (manifest.recurrent ?? []).some((entry) => entry.node === node) ||
    manifest.activations.some(({ producer, fused }) =>
      producer?.node === node || fused.includes(node)
    );
}

/** The variant with one more node float; its recipe says so. */
function withFloat(variant: Planned, node: string, refusal: PlimsollError): Planned {
  try {
    return withOverrides(variant, [{ match: { node }, quantize: false }]);
  } catch {
    throw refusal;
  }
}
