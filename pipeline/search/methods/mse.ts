/**
 * MSE: the threshold of least mean squared error, ERR(t) = Σ (Q(x) − x)² / n.
 *
 * The method that MCT takes by default (`error_functions.py`, `_mse_error_histogram`), computed
 * over elements instead of over left bin edges.
 *
 * @module
 */
import { compareDyadic } from "../../statistics/dyadic.ts";
import { powerOfTwoErrors } from "../../statistics/power_of_two_errors.ts";
import type { Method } from "./method.ts";

/** Least mean squared error. Ties go to the threshold nearest the one that clips nothing. */
export const mse: Method = {
  formula: "Σ (Q(x) − x)² / n",
  error: (histogram, quantizer) => powerOfTwoErrors(histogram, quantizer).squared,
  choose: (errors, noClipping) => {
    let index = noClipping;
    for (let i = 0; i < errors.length; i++) {
      const order = compareDyadic(errors[i], errors[index]);
      if (order < 0 || order === 0 && Math.abs(i - noClipping) < Math.abs(index - noClipping)) {
        index = i;
      }
    }
    return { index, reason: `least mean squared error of ${errors.length} powers of two` };
  },
};
