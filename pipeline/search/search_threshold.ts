/**
 * The search: statistics of one tensor × what is asked of its quantizer → threshold.
 *
 * @module
 */
import type { ActivationSpec, ErrorMethod } from "../../tpc/core/types.ts";
import type { HistogramData } from "../../wasm/mod.ts";
import { divideDyadic, toNumber } from "../statistics/dyadic.ts";
import { exactHistogram } from "../statistics/exact_histogram.ts";
import { candidateExponents, noClippingExponent } from "./candidates.ts";
import type { Method } from "./methods/method.ts";
import { mse } from "./methods/mse.ts";
import { noClipping } from "./methods/no_clipping.ts";
import { powerOfTwoErrors } from "../statistics/power_of_two_errors.ts";

const METHODS: Readonly<Record<ErrorMethod, Method>> = { mse, noclipping: noClipping };

/** ERR of one candidate. */
export interface CurvePoint {
  /** In units of the tensor. */
  readonly threshold: number;
  /** ERR(threshold) per element: the float64 nearest to the exact value. */
  readonly error: number;
}

/** A chosen threshold with everything that speaks for it. */
export interface Threshold {
  readonly threshold: number;
  readonly signed: boolean;
  /** ERR(threshold) per element, null when there is no element. */
  readonly error: number | null;
  /** 10·log10(Σx² / Σ(Q(x) − x)²) in dB; null when it isn't finite. */
  readonly sqnr: number | null;
  /** Part of the elements of magnitude t or more, or below zero when unsigned. */
  readonly clippedFraction: number;
  /** ERR of all candidates, descending thresholds. */
  readonly curve: readonly CurvePoint[];
  /** Why this sign and this threshold. */
  readonly reason: readonly string[];
}

/**
 * Chooses the threshold of one activation tensor from its statistics alone. Exact: ERR is the true
 * sum over all calibration elements. Can be called while samples still stream.
 *
 * @example The threshold of a constant tensor
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
export function searchThreshold(data: HistogramData, spec: ActivationSpec): Threshold {
  const { bits } = spec;
  const method = METHODS[spec.error];
  const { signed, reason: signReason } = chooseSign(data, spec);
  const histogram = exactHistogram(data);
  const exponents = candidateExponents(data);
  const errors = exponents.map((exponent) => method.error(histogram, { exponent, bits, signed }));
  const noClippingIndex = exponents.indexOf(noClippingExponent(data));
  const { index, reason } = data.finite === data.zeros
    ? { index: noClippingIndex, reason: "no element but zero: every threshold is exact" }
    : method.choose(errors, noClippingIndex);
  const exponent = exponents[index];
  const perElement = (i: number) => divideDyadic(errors[i], BigInt(data.finite));
  const noise = powerOfTwoErrors(histogram, { exponent, bits, signed }).squared;
  const signal = toNumber(histogram.squares);
  const sqnr = 10 * Math.log10(signal / toNumber(noise));
  return {
    threshold: 2 ** exponent,
    signed,
    error: data.finite === 0 ? null : perElement(index),
    sqnr: Number.isFinite(sqnr) ? sqnr : null,
    clippedFraction: data.finite === 0 ? 0 : countOutside(data, exponent, signed) / data.finite,
    curve: data.finite === 0
      ? []
      : exponents.map((e, i) => ({ threshold: 2 ** e, error: perElement(i) })),
    reason: [signReason, reason],
  };
}

function chooseSign({ finite, min }: HistogramData, { signed }: ActivationSpec) {
  switch (signed) {
    case "yes":
      return { signed: true, reason: "signed, as the target says" };
    case "no":
      return { signed: false, reason: "unsigned, as the target says" };
    case "auto":
      return finite > 0 && min < 0
        ? { signed: true, reason: `signed: the least value is ${min}` }
        : { signed: false, reason: "unsigned: no value below zero" };
    default:
      return signed satisfies never;
  }
}

/** Bin of −0, which is no negative value (and of negative subnormals below 2^−134, taken for it). */
const NEGATIVE_ZERO_BIN = 1 << 16;

/** Elements of magnitude t or more, and negative ones when unsigned: powers of two are bin edges. */
function countOutside({ bins, n }: HistogramData, exponent: number, signed: boolean): number {
  const firstOctave = exponent + 127;
  let outside = 0;
  for (let i = 0; i < bins.length; i++) {
    if (bins[i] === NEGATIVE_ZERO_BIN) continue;
    const isNegative = bins[i] >>> 16 === 1;
    if ((bins[i] >>> 8 & 255) >= firstOctave || isNegative && !signed) outside += n[i];
  }
  return outside;
}
