/**
 * What a model's input says of the images that it takes, where nobody else says anything.
 *
 * @module
 */
import type { Preprocessing } from "../../tpc/recipe/preprocessing.ts";

/** As much of a model's input as is looked at. */
interface ImageInput {
  readonly shape?: readonly (number | null)[];
  readonly isInteger?: boolean;
}

/** Channels that images have. */
const CHANNELS: readonly (number | null)[] = [1, 3, 4];

/**
 * Settings that follow from type and shape of the only input of a model, [samples, …]: whole numbers are pixels as they
 * are; channels in the last place alone are NHWC; one channel takes grey.
 *
 * @example
 * ```ts
 * import { impliedPreprocessing } from "./implied_preprocessing.ts";
 * import assert from "node:assert/strict";
 *
 * const input = { shape: [null, 16, 16, 3], isInteger: true };
 * assert.deepEqual(impliedPreprocessing([input]), { layout: "NHWC", scale: 1 });
 * assert.deepEqual(impliedPreprocessing([{ shape: [null, 3, 224, 224] }]), {});
 * ```
 */
export function impliedPreprocessing(inputs: readonly ImageInput[]): Partial<Preprocessing> {
  if (inputs.length !== 1) return {};
  const [{ shape, isInteger }] = inputs;
  const isLast = shape?.length === 4 && CHANNELS.includes(shape[3]) && !CHANNELS.includes(shape[1]);
  return {
    ...(isLast ? { layout: "NHWC" as const } : {}),
    ...(isInteger ? { scale: 1 } : {}),
  };
}
