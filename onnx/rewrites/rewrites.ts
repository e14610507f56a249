/**
 * The exact rewrites that a quantization asks for beyond graph preparation, as data: statistics and manifest carry
 * them, so that whoever has one of the two and the model makes the same graph again.
 *
 * @module
 */
import * as z from "zod";
import { clampFlat } from "./clamp_flat.ts";
import { equalize } from "./equalize.ts";
import type { Model } from "../file/model.ts";
import { describeMigration, migrateScales } from "./migrate_scales.ts";
import { shiftNegative } from "./shift_negative.ts";
import { scaleReluBounds } from "./scale_relu_bounds.ts";

/** Schema of {@linkcode Rewrites}. */
export const rewritesSchema = z.strictObject({
  flatClamps: z.literal(true).optional().describe(
    "Outputs of convolutions clamped to where the function behind them isn't flat",
  ),
  reluBounds: z.literal(true).optional().describe(
    "Bounds of ReLU6 and its like moved to powers of two",
  ),
  equalization: z.record(z.string(), z.array(z.number())).optional().describe(
    "Layers equalized: largest value of each channel of each Clip between two layers, by tensor",
  ),
  shiftNegative: z.record(z.string(), z.number()).optional().describe(
    "Tensors shifted to start at or above zero: minus the shift",
  ),
  scaleMigration: z.record(z.string(), z.array(z.number().positive())).optional().describe(
    "Tensors whose channels are divided, the layers behind taking the factors: what by, by tensor",
  ),
});

/** What was rewritten, with all that it takes to do it again. Empty: nothing. */
export interface Rewrites {
  /** Outputs of convolutions clamped to where the function behind them isn't flat. */
  readonly flatClamps?: true;
  /** Bounds of ReLU6 and its like moved to powers of two. */
  readonly reluBounds?: true;
  /** Layers equalized: largest value of each channel of each Clip between two layers, by tensor. */
  readonly equalization?: Record<string, number[]>;
  /** Tensors shifted to start at or above zero: minus the shift. */
  readonly shiftNegative?: Record<string, number>;
  /** Tensors whose channels are divided, the layers behind taking the factors: what by, by tensor. */
  readonly scaleMigration?: Record<string, number[]>;
}

/**
 * Applies rewrites to a prepared model.
 *
 * @returns The model, and what was done, a sentence each.
 */
export function applyRewrites(model: Model, rewrites: Rewrites): { model: Model; done: string[] } {
  const done: string[] = [];
  if (rewrites.flatClamps) {
    const { model: next, clamped } = clampFlat(model);
    model = next;
    for (const { tensor, low, high } of clamped) {
      done.push(`${tensor}: clamped to ${low} … ${high}, beyond which what reads it is flat`);
    }
  }
  if (rewrites.reluBounds) {
    const { model: next, scaled } = scaleReluBounds(model);
    model = next;
    for (const { tensor, from, to } of scaled) {
      done.push(`${tensor}: bound ${from} moved to ${to}, the layers around take the factor`);
    }
  }
  if (rewrites.equalization !== undefined) {
    const maxima = new Map(
      Object.entries(rewrites.equalization).map(([name, list]) => [name, Float64Array.from(list)]),
    );
    const { model: next, equalized } = equalize(model, maxima);
    model = next;
    for (const { first, second, factor } of equalized) {
      const [least, most] = [Math.min(...factor), Math.max(...factor)];
      done.push(
        `${first} and ${second}: channels equalized by factors ` +
          `${least.toPrecision(3)} … ${most.toPrecision(3)}`,
      );
    }
  }
  if (rewrites.shiftNegative !== undefined) {
    const minima = new Map(Object.entries(rewrites.shiftNegative));
    const { model: next, shifted } = shiftNegative(model, minima);
    model = next;
    for (const { tensor, shift } of shifted) {
      done.push(`${tensor}: shifted by ${shift.toPrecision(3)}, the layers behind take it back`);
    }
  }
  if (rewrites.scaleMigration !== undefined) {
    const factors = new Map(
      Object.entries(rewrites.scaleMigration).map((
        [name, list],
      ) => [name, Float64Array.from(list)]),
    );
    const { model: next, migrated } = migrateScales(model, factors);
    model = next;
    done.push(...migrated.map(describeMigration));
  }
  return { model, done };
}
