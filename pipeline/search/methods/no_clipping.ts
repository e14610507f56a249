/**
 * NOCLIPPING: the range of the data. Power-of-two: 2^⌈log2 max|x|⌉; symmetric: max|x|; uniform:
 * min … max (MCT, `power_of_two_selection.py`, `symmetric_selection.py`, `uniform_selection.py`). A value
 * at the very threshold moves by one step, since the grid ends at t − d.
 *
 * @module
 */
import type { RangeSetter } from "./method.ts";

/** Range of the data. */
export const noClipping: RangeSetter = {
  kind: "range",
  formula: "smallest threshold that no magnitude exceeds",
  range: ({ data: { finite, min, max } }) =>
    finite === 0 ? { low: 0, high: 0 } : { low: min, high: max },
};
