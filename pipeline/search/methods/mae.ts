/**
 * MAE: the grid of least mean absolute error, ERR = Σ |Q(x) − x| / n (MCT, `error_functions.py`,
 * `_mae_error_histogram`). Takes outliers less seriously than MSE.
 *
 * @module
 */
import { leastPower } from "./lp.ts";
import type { Judge } from "./method.ts";

/** Least mean absolute error. */
export const mae: Judge = { ...leastPower(1), formula: "Σ |Q(x) − x| / n" };
