/**
 * MSE: the grid of least mean squared error, ERR = Σ (Q(x) − x)² / n.
 *
 * The method that MCT takes by default (`error_functions.py`, `_mse_error_histogram`), over elements
 * instead of over left bin edges.
 *
 * @module
 */
import { leastPower } from "./lp.ts";
import type { Judge } from "./method.ts";

/** Least mean squared error. */
export const mse: Judge = { ...leastPower(2), formula: "Σ (Q(x) − x)² / n" };
