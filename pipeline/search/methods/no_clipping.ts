/**
 * NOCLIPPING: the smallest threshold that clips nothing, 2^⌈log2 max|x|⌉ (MCT,
 * `power_of_two_selection.py`). A value equal to the threshold becomes t − d.
 *
 * @module
 */
import { mse } from "./mse.ts";
import type { Method } from "./method.ts";

/** Range of the data. Its criterion is not an error; ERR is reported as of {@linkcode mse}. */
export const noClipping: Method = {
  formula: mse.formula,
  error: mse.error,
  choose: (_errors, index) => ({ index, reason: "smallest power of two that clips nothing" }),
};
