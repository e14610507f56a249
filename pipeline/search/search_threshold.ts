/**
 * The search: statistics of one tensor × what is asked of its quantizer → grid.
 *
 * @module
 */
import { decibels } from "../../core/portable_math.ts";
import { gridStep, type Levels } from "../../core/grid.ts";
import type { ActivationSpec, Constraint, SettledSpec } from "../../core/types.ts";
import type { HistogramData } from "../../wasm/mod.ts";
import { divideDyadic, toNumber } from "../statistics/dyadic.ts";
import { boundedError } from "../statistics/grid_errors.ts";
import {
  type ConstraintSearch,
  MIN_THRESHOLD,
  type Size,
  type Trial,
  ZERO_THRESHOLD,
} from "./constraints/constraint.ts";
import { exactPowerOfTwoError, powerOfTwo } from "./constraints/power_of_two.ts";
import { symmetric } from "./constraints/symmetric.ts";
import { uniform } from "./constraints/uniform.ts";
import { filterByZScore } from "./filter_by_z_score.ts";
import type { Judge, Method } from "./methods/method.ts";
import { methodOf } from "./methods/methods.ts";
import { type TensorView, viewOf } from "../statistics/tensor_view.ts";
import { countAbove } from "../statistics/value_bins.ts";

const CONSTRAINTS: Readonly<Record<Constraint, ConstraintSearch>> = {
  pot: powerOfTwo,
  symmetric,
  uniform,
};

/** ERR of one candidate. */
export interface CurvePoint {
  /** In units of the tensor. */
  readonly threshold: number;
  /** ERR per element (KL: as it is). Exact for MSE and MAE of powers of two up to 8 and 9 bits. */
  readonly error: number;
}

/** ERR of the choice, per element: equal bounds when it is exact. */
export interface ErrorBounds {
  readonly lower: number;
  readonly upper: number;
}

/** A grid with what has chosen it. */
export interface GridChoice {
  readonly levels: Levels;
  readonly reason: string;
}

/** Options of {@linkcode searchThreshold}. */
export interface SearchOptions {
  /** Told every grid that is judged, with its ERR. */
  readonly onTrial?: (levels: Levels, error: number) => void;
  /** A grid that something else has chosen; it replaces the one of the search. */
  readonly choice?: GridChoice;
}

/** A chosen grid with everything that speaks for it. */
export interface Threshold {
  /** Largest magnitude that the grid is made for; for uniform grids, that it can hold. */
  readonly threshold: number;
  readonly levels: Levels;
  readonly signed: boolean;
  /** ERR per element, null when there is no element. */
  readonly error: number | null;
  /** Certain bounds of `error`; null for KL, which has none. */
  readonly bounds: ErrorBounds | null;
  /** 10·log10(Σx² / Σ(Q(x) − x)²) in dB; null when it isn't finite. */
  readonly sqnr: number | null;
  /** Σ(Q(x) − x)² / Σx²: the part of the signal that the grid loses; 0 for a tensor of zeros. */
  readonly lost: number;
  /** Part of the elements beyond the levels by more than half a step (a bin that this cuts counts in part). */
  readonly clippedFraction: number;
  /** ERR of candidates, descending thresholds, without those that can't win by far; empty for methods that set the range. */
  readonly curve: readonly CurvePoint[];
  /** Why this sign and this grid. */
  readonly reason: readonly string[];
}

/**
 * Chooses the grid of one activation tensor from its statistics alone. Can be called while samples still
 * stream.
 *
 * @example The threshold of a few elements
 * ```ts
 * import { createNaiveHistogramCore } from "../../wasm/mod.ts";
 * import { searchThreshold } from "./search_threshold.ts";
 * import assert from "node:assert/strict";
 *
 * const accumulator = createNaiveHistogramCore().create();
 * accumulator.observe(Float32Array.of(0, 0.5, 3));
 * const spec = { bits: 8, constraint: "pot", signed: "auto", error: "mse" } as const;
 * assert.equal(searchThreshold(accumulator.data(), spec).threshold, 4);
 * ```
 */
export function searchThreshold(
  data: HistogramData,
  spec: SettledSpec,
  options: SearchOptions = {},
): Threshold {
  const sign = chooseSign(data, spec);
  const size: Size = { bits: spec.bits, signed: sign.signed };
  const method = spec.fixedRange === undefined ? methodOf(spec) : fixedRange(spec.fixedRange);
  const all = viewOf(data);
  const filtered = filterByZScore(data, spec.zThreshold);
  const view = filtered.left === 0 ? all : viewOf(filtered.data);
  const searched = spec.fixedGrid === undefined
    ? choose(view, size, method, { ...options, constraint: spec.constraint })
    : fixedChoice(spec.fixedGrid);
  const found = options.choice === undefined
    ? searched
    : replaceChoice(searched, options.choice, spec);
  const reason = [sign.reason, ...found.reason];
  if (all.magnitude > 0 && all.magnitude < found.levels.step / 2) {
    reason.push(
      `every element becomes zero: none reaches half a step (the smallest threshold is ${MIN_THRESHOLD})`,
    );
  }
  if (filtered.left > 0) {
    reason.push(
      `${filtered.left} elements beyond ${spec.zThreshold} standard deviations left out of the search`,
    );
  }
  return {
    ...describe(all, size, method, found),
    signed: sign.signed,
    curve: found.curve.map((trial) => ({
      threshold: trial.threshold,
      error: perElement(trial, view, method),
    })),
    reason,
  };
}

/**
 * ERR of any grid by the method of a spec, over what its search looks at: per element, of KL as it is. Undefined for
 * methods that set a range and judge no grid.
 */
export function errorOfGrid(
  data: HistogramData,
  spec: SettledSpec,
  levels: Levels,
): number | undefined {
  const method = methodOf(spec);
  if (method.kind !== "judge" || data.finite === 0) return undefined;
  const view = viewOf(filterByZScore(data, spec.zThreshold).data);
  const error = method.error(view, levels);
  return method.power === undefined ? error : error / view.data.finite;
}

/** A range that the operator has by definition, in place of a method. */
function fixedRange({ op, low, high }: NonNullable<ActivationSpec["fixedRange"]>): Method {
  return {
    kind: "range",
    isFixed: true,
    formula: `${op} gives ${low} … ${high}, which the target fixes whatever the data`,
    range: () => ({ low, high }),
  };
}

/** A grid that the target fixes. */
function fixedChoice({ op, step, low, high }: NonNullable<ActivationSpec["fixedGrid"]>): Choice {
  const levels = { step: gridStep(step), low, high };
  return {
    levels,
    threshold: Math.max(-low, high + 1) * levels.step,
    curve: [],
    reason: [`the target fixes the grid of ${op}, whatever the data`],
  };
}

function replaceChoice(
  searched: Choice,
  { levels, reason }: GridChoice,
  { constraint }: ActivationSpec,
): Choice {
  const { step, low, high } = levels;
  const reach = constraint === "uniform" ? Math.max(-low, high) : low < 0 ? -low : high + 1;
  return {
    ...searched,
    levels,
    threshold: reach * step,
    reason: [...searched.reason, reason],
  };
}

interface Choice {
  readonly levels: Levels;
  readonly threshold: number;
  readonly curve: readonly Trial[];
  readonly reason: readonly string[];
}

function choose(
  view: TensorView,
  size: Size,
  method: Method,
  { constraint, onTrial }: SearchOptions & { readonly constraint: Constraint },
): Choice {
  const { data } = view;
  const { fit } = CONSTRAINTS[constraint];
  const isFixed = method.kind === "range" && method.isFixed;
  if (view.magnitude === 0 && !isFixed) {
    const reason = data.finite === 0
      ? "no element"
      : "no element but zero: every threshold is exact";
    const range = { low: 0, high: ZERO_THRESHOLD };
    return { ...fit(view, size, range), curve: [], reason: [reason] };
  }
  if (method.kind === "range") {
    const range = method.range(view, size.signed);
    return { ...fit(view, size, range), curve: [], reason: [method.formula] };
  }
  const { best, curve, reason } = onTrial === undefined
    ? minimise(view, size, method, constraint)
    : CONSTRAINTS[constraint].minimise(view, size, heard(method, onTrial));
  return {
    levels: best.levels,
    threshold: best.threshold,
    curve,
    reason: [`${method.formula}: ${reason}`],
  };
}

type Found = ReturnType<ConstraintSearch["minimise"]>;

/** Searches of a tensor that were made. LP of p = 2 is MSE, and a report asks again for what was decided. */
const searches = new WeakMap<TensorView, Map<string, Found>>();

function minimise(view: TensorView, size: Size, judge: Judge, constraint: Constraint): Found {
  const { power, formula } = judge;
  const key = `${constraint} ${size.bits} ${size.signed} ${power ?? formula}`;
  let known = searches.get(view);
  if (known === undefined) searches.set(view, known = new Map());
  let found = known.get(key);
  if (found === undefined) {
    known.set(key, found = CONSTRAINTS[constraint].minimise(view, size, judge));
  }
  return found;
}

/** A judge that somebody listens to. */
function heard(judge: Judge, onTrial: NonNullable<SearchOptions["onTrial"]>): Judge {
  return {
    ...judge,
    error: (view, levels) => {
      const error = judge.error(view, levels);
      onTrial(levels, error);
      return error;
    },
  };
}

/** Errors of the choice over all elements, those left out of the search included. */
function describe(view: TensorView, size: Size, method: Method, { levels, threshold }: Choice) {
  const { data } = view;
  const empty = { error: null, bounds: null, sqnr: null, lost: 0, clippedFraction: 0 };
  if (data.finite === 0) return { threshold, levels, ...empty };
  // Methods that set a range have no error of their own: theirs is reported as MSE.
  const power = method.kind === "judge" ? method.power : 2;
  const noise = errorSum(view, size, levels, threshold, 2);
  const [signal, lost] = [toNumber(view.exact.squares), noise.estimate * data.finite];
  const sqnr = decibels(signal / lost);
  const chosen = power === 2
    ? noise
    : power === undefined
    ? undefined
    : errorSum(view, size, levels, threshold, power);
  return {
    threshold,
    levels,
    error: chosen?.estimate ?? (method.kind === "judge" ? method.error(view, levels) : null),
    bounds: chosen === undefined ? null : { lower: chosen.lower, upper: chosen.upper },
    sqnr: Number.isFinite(sqnr) ? sqnr : null,
    lost: signal === 0 ? 0 : lost / signal,
    clippedFraction: fractionOutside(view, levels),
  };
}

/** Σ |Q(x) − x|^power / n of one grid: exact where it can be, else estimate and bounds. */
function errorSum(view: TensorView, size: Size, levels: Levels, threshold: number, power: number) {
  const isPowerOfTwo = levels.step * (size.signed ? -levels.low : levels.high + 1) === threshold;
  const exact = isPowerOfTwo ? exactPowerOfTwoError(view, size, { power }, threshold) : undefined;
  if (exact !== undefined) {
    const value = divideDyadic(exact, BigInt(view.data.finite));
    return { estimate: value, lower: value, upper: value };
  }
  const { estimate, lower, upper } = boundedError(view.bins, levels, power);
  const n = view.data.finite;
  return { estimate: estimate / n, lower: lower / n, upper: upper / n };
}

function perElement({ exact, error }: Trial, { data }: TensorView, method: Method): number {
  if (exact !== undefined) return divideDyadic(exact, BigInt(data.finite));
  return method.kind === "judge" && method.power !== undefined ? error / data.finite : error;
}

function fractionOutside({ bins, data }: TensorView, { step, low, high }: Levels): number {
  const kept = countAbove(bins, (low - 0.5) * step) - countAbove(bins, (high + 0.5) * step);
  return Math.max(0, data.finite - kept) / data.finite;
}

function chooseSign(
  { finite, min }: HistogramData,
  { signed, constraint, fixedRange, fixedGrid }: ActivationSpec,
) {
  if (fixedGrid !== undefined) {
    return { signed: fixedGrid.low < 0, reason: "the fixed grid decides where zero lies" };
  }
  if (constraint === "uniform") {
    return { signed: finite > 0 && min < 0, reason: "the range decides where zero lies" };
  }
  switch (signed) {
    case "yes":
      return { signed: true, reason: "signed, as the target says" };
    case "no":
      return { signed: false, reason: "unsigned, as the target says" };
    case "auto":
      if (fixedRange !== undefined) {
        const { op, low } = fixedRange;
        return low < 0
          ? { signed: true, reason: `signed: ${op} gives down to ${low}` }
          : { signed: false, reason: `unsigned: ${op} gives nothing below zero` };
      }
      return finite > 0 && min < 0
        ? { signed: true, reason: `signed: the least value is ${min}` }
        : { signed: false, reason: "unsigned: no value below zero" };
    default:
      return signed satisfies never;
  }
}
