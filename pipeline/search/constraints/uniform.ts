/**
 * Uniform (affine) grids: any range that holds zero, zero on the grid.
 *
 * @module
 */
import { gridStep, type Levels, uniformLevels } from "../../../core/grid.ts";
import { latticeSteps } from "./lattice.ts";
import { searchLine } from "./line_search.ts";
import type { Judge } from "../methods/method.ts";
import type { TensorView } from "../../statistics/tensor_view.ts";
import { type ConstraintSearch, MIN_THRESHOLD, type Trial } from "./constraint.ts";
import {
  clippingFloor,
  densityFor,
  HEADROOM,
  judgeWinners,
  OCTAVES,
  symmetric,
} from "./symmetric.ts";

/** Rounds over the two ends at most; two nearly always suffice (measured). */
const ROUNDS = 3;
/** Up to this many codes every zero point is tried, beyond it those near the best. */
const ALL_ZERO_POINTS = 32;
const NEAR_ZERO_POINTS = 4;
/** The same of powers without a closed form, which take long. */
const NEXT_ZERO_POINTS = 1;

/**
 * Any range. One end after the other is searched globally with the other one held, from two starts: the
 * range of the data, and the best symmetric grid (an outlier on one side traps the first, never
 * both). Then the step is searched for zero points around the best. A tensor that lies on one side of zero
 * has its zero point at that end, and one variable to search.
 */
export const uniform: ConstraintSearch = {
  minimise: (view, { bits }, judge) => {
    const search = new UniformSearch(view, bits, judge);
    const { min, max } = view.data;
    const curve = search.descend(Math.min(min, 0), Math.max(max, 0));
    if (min < 0 && max > 0) {
      const { threshold, levels } = symmetric.minimise(view, { bits, signed: true }, judge).best;
      search.tryLevels(levels);
      search.descend(Math.max(min, -threshold), Math.min(max, threshold));
    }
    if (judge.power !== undefined) search.tryZeroPoints();
    return {
      best: search.best,
      curve: curve.filter(({ error }) => Number.isFinite(error)),
      reason: "least of a global search along both ends of the range",
    };
  },
  fit: (_view, { bits }, { low, high }) => {
    const reach = Math.max(-low, high);
    const levels = reach < MIN_THRESHOLD
      ? uniformLevels(0, MIN_THRESHOLD, bits)
      : uniformLevels(low, high, bits);
    return { levels, threshold: thresholdOf(levels) };
  },
};

/** Largest magnitude that a grid can hold. */
function thresholdOf({ step, low, high }: Levels): number {
  return Math.max(-low, high) * step;
}

/** Remembers the best grid of all that were tried. */
class UniformSearch {
  readonly #view: TensorView;
  readonly #bits: number;
  readonly #judge: Judge;
  readonly #density: (step: number) => number;
  readonly #judged: (levels: Levels) => number;
  best: Trial = { levels: { step: 1, low: 0, high: 1 }, threshold: 1, error: Infinity };

  constructor(view: TensorView, bits: number, judge: Judge) {
    this.#view = view;
    this.#bits = bits;
    this.#judge = judge;
    this.#density = densityFor(view, judge);
    this.#judged = judgeWinners(view, judge);
  }

  /** Searches one end after the other; returns the curve along the first. */
  descend(low: number, high: number): Trial[] {
    const { min, max } = this.#view.data;
    let curve: Trial[] = [];
    this.#tryRange(low, high);
    for (let round = 0; round < ROUNDS; round++) {
      const before = this.best.error;
      if (max > 0) {
        const { best, scan } = this.#searchEnd("high", max, low, (x) => this.#tryRange(low, x));
        high = best.x;
        if (round === 0) curve = scan.map((point) => this.#trialOf(low, point.x, point.error));
      }
      if (min < 0) {
        const { best, scan } = this.#searchEnd("low", -min, high, (x) => this.#tryRange(-x, high));
        low = -best.x;
        if (curve.length === 0) {
          curve = scan.map((point) => this.#trialOf(-point.x, high, point.error));
        }
      }
      if (min >= 0 || max <= 0 || this.best.error >= before * (1 - 1e-6)) break;
    }
    return curve;
  }

  /** Searches the step for every zero point near the best, or for all where there are few. */
  tryZeroPoints(): void {
    const codes = 2 ** this.#bits;
    const { low: best, step } = this.best.levels;
    const { min, max } = this.#view.data;
    const isAll = codes <= ALL_ZERO_POINTS;
    const { power } = this.#judge;
    const near = power === 1 || power === 2 ? NEAR_ZERO_POINTS : NEXT_ZERO_POINTS;
    for (let low = 1 - codes; low <= 0; low++) {
      if (!isAll && Math.abs(low - best) > near) continue;
      if (min >= 0 && low < 0 || max <= 0 && low > 1 - codes) continue;
      const at = (d: number) =>
        this.tryLevels({ step: gridStep(d), low, high: low + codes - 1 }).error;
      const reach = Math.max(
        low === 0 ? 0 : -Math.min(min, 0) / -low,
        Math.max(max, 0) / Math.max(1, low + codes - 1),
      );
      const range = isAll ? [reach / 16, HEADROOM * reach] : [step / 1.05, step * 1.05];
      searchLine(at, range[0], range[1], {
        density: isAll ? this.#density : (d) => Math.max(64, this.#density(d)),
      });
      for (const lattice of latticeSteps(this.#view)) at(lattice);
    }
  }

  #searchEnd(
    end: "low" | "high",
    extreme: number,
    other: number,
    tryEnd: (x: number) => Trial,
  ) {
    const high = Math.max(MIN_THRESHOLD, HEADROOM * extreme);
    const low = Math.max(MIN_THRESHOLD, extreme / 2 ** OCTAVES);
    return searchLine((x) => tryEnd(x).error, low, high, {
      density: (x) => this.#density((x + Math.abs(other)) / (2 ** this.#bits - 1)),
      // What lies beyond an end is clipped whatever the other end does.
      floor: clippingFloor(this.#view, end, this.#judge),
    });
  }

  #trialOf(low: number, high: number, error: number): Trial {
    const levels = uniformLevels(low, high, this.#bits);
    return { levels, threshold: thresholdOf(levels), error };
  }

  #tryRange(low: number, high: number): Trial {
    return this.tryLevels(uniformLevels(low, high, this.#bits));
  }

  tryLevels(levels: Levels): Trial {
    const trial = {
      levels,
      threshold: thresholdOf(levels),
      error: this.#judged(levels),
    };
    if (trial.error < this.best.error) this.best = trial;
    return trial;
  }
}
