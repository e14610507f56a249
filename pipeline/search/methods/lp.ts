/**
 * LP: the grid of least Σ |Q(x) − x|^p / n, without the root (MCT, `error_functions.py`,
 * `_lp_error_histogram`). p = 2 is MSE and p = 1 is MAE, as in MCT.
 *
 * @module
 */
import { absoluteError, squaredError } from "../../statistics/grid_errors.ts";
import { powerError } from "../../statistics/power_error.ts";
import type { Judge } from "./method.ts";

/** Default exponent, as in MCT (`quantization_config.py`, l_p_value). */
export const DEFAULT_P = 2;

/** Mean p-th power of the error. @param p 1 or more. */
export function leastPower(p: number): Judge {
  return {
    kind: "judge",
    formula: `Σ |Q(x) − x|^${p} / n`,
    power: p,
    error: (view, levels) =>
      p === 2
        ? squaredError(view.bins, levels)
        : p === 1
        ? absoluteError(view.bins, levels)
        : powerError(view.bins, levels, p),
  };
}
