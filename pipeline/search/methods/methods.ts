/**
 * All error methods. A new one is a file beside this one with its record here, and its name in `core/types.ts`; the
 * compiler asks for the one where the other is there.
 *
 * @module
 */
import type { ErrorMethod, SettledSpec } from "../../../core/types.ts";
import { kl } from "./kl.ts";
import { DEFAULT_P, leastPower } from "./lp.ts";
import { mae } from "./mae.ts";
import type { Method, MethodRecord } from "./method.ts";
import { mse } from "./mse.ts";
import { noClipping } from "./no_clipping.ts";
import { octav } from "./octav.ts";
import { DEFAULT_PERCENTILE, percentile } from "./percentile.ts";

const METHODS: Readonly<Record<ErrorMethod, MethodRecord>> = {
  mse: { make: () => mse, isShown: true },
  mae: { make: () => mae },
  lp: { make: ({ lpP = DEFAULT_P }) => leastPower(lpP), isUsuallyAnother: true },
  kl: { make: () => kl, isShown: true },
  percentile: {
    make: ({ percentile: percent = DEFAULT_PERCENTILE, constraint }) =>
      percentile(percent, constraint),
  },
  octav: { make: ({ bits }) => octav(bits) },
  noclipping: { make: () => noClipping, isShown: true },
};

/** All methods; where several do equally well, the earlier one counts. */
export const METHOD_ORDER = Object.keys(METHODS) as readonly ErrorMethod[];

/** Methods that AUTO tries. */
export const AUTO_METHODS = METHOD_ORDER.filter((name) => !METHODS[name].isUsuallyAnother);

/** Methods that reports draw at first, beside the chosen ones. */
export const SHOWN_METHODS = METHOD_ORDER.filter((name) => METHODS[name].isShown);

/** The method that a quantizer asks for, with the options that it gives. */
export function methodOf(spec: SettledSpec): Method {
  return METHODS[spec.error].make(spec);
}
