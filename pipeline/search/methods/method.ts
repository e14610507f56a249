/**
 * What every error method is.
 *
 * @module
 */
import type { Dyadic } from "../../statistics/dyadic.ts";
import type { ExactHistogram } from "../../statistics/exact_histogram.ts";
import type { PowerOfTwoQuantizer } from "../../statistics/power_of_two_errors.ts";

/** An error method: judges quantizers and picks one. */
export interface Method {
  /** What ERR measures, as a formula for people. */
  readonly formula: string;
  /** Sum of the error over all finite elements, exact. ERR is this by the number of elements. */
  error(histogram: ExactHistogram, quantizer: PowerOfTwoQuantizer): Dyadic;
  /**
   * Index of the chosen candidate.
   *
   * @param errors Error sum of each candidate.
   * @param noClipping Index of the candidate that clips nothing.
   */
  choose(errors: readonly Dyadic[], noClipping: number): { index: number; reason: string };
}
