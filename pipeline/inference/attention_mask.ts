/**
 * Which positions of a sample are padding, as its attention mask says.
 *
 * @module
 */
import { own } from "../../core/own.ts";
import type { InputTensor, Sample } from "../../core/tensor.ts";
import type { ModelInput } from "./model_inputs.ts";

/**
 * How exporters call the input that is 1 at tokens and 0 at padding, TensorFlow's with a number behind. Masks the other
 * way round are none.
 */
const MASK_NAMES = /^(\w+[_./])?(attention|input)_mask(_\d+)?(:\d+)?$/;

/** Positions of a sample that are data: from `start` to before `end` of `length`. */
export interface RealRange {
  readonly start: number;
  readonly end: number;
  /** All positions, padding among them. */
  readonly length: number;
}

/** A mask of a model with the inputs that have its axis of positions. */
export interface TokenAxis {
  /** The mask itself. */
  readonly mask: ModelInput;
  /** Inputs of the mask's shape, the mask among them: ids, types and positions of tokens. */
  readonly inputs: readonly ModelInput[];
  /** Positions that the model takes; null for any number. */
  readonly size: number | null;
}

/**
 * The masks of a model, each with what has its axis. A mask that is alone with its shape says nothing of ids: beside
 * cached keys it counts those, too.
 *
 * @example
 * ```ts
 * import { tokenAxes } from "./attention_mask.ts";
 * import assert from "node:assert/strict";
 *
 * const inputs = ["input_ids", "attention_mask"].map((name) => ({ name, shape: [null, null] }));
 * const [{ mask, size }] = tokenAxes(inputs);
 * assert.deepEqual([mask.name, size], ["attention_mask", null]);
 * ```
 */
export function tokenAxes(inputs: readonly ModelInput[]): TokenAxis[] {
  return inputs.filter(isMask).flatMap((mask) => {
    const size = mask.shape![1];
    const symbol = symbolOf(mask);
    const alike = inputs.filter(({ shape }) => shape?.length === 2 && shape[1] === size);
    const named = alike.filter((input) => symbol !== "" && symbolOf(input) === symbol);
    // Names decide where they are shared: a decoder's tokens may be as many as an encoder's by chance.
    const group = named.length > 1 ? named : alike;
    const isAlone = group.every((input) => isMask(input));
    return isAlone ? [] : [{ mask, inputs: group, size }];
  });
}

function isMask({ name, shape, batchAxis = 0 }: ModelInput): boolean {
  return MASK_NAMES.test(name) && shape?.length === 2 && batchAxis === 0;
}

/** Name of the axis of positions; empty without one. */
function symbolOf({ symbols }: ModelInput): string {
  return symbols?.[1] ?? "";
}

/** Length of a sample's row of numbers, which may have been saved with axes of one in front; undefined for others. */
export function rowLength({ dims }: InputTensor): number | undefined {
  return dims.length > 0 && dims.slice(0, -1).every((size) => size === 1) ? dims.at(-1) : undefined;
}

/**
 * Where a sample's data begin and end. Undefined without a row as mask, and where the mask has no token at all. Zeros
 * between tokens are no padding.
 */
export function realRange({ input }: Pick<Sample, "input">, mask: string): RealRange | undefined {
  const tensor = own(input as Readonly<Record<string, InputTensor>>, mask);
  if (tensor === undefined || !ArrayBuffer.isView(tensor.data)) return undefined;
  const length = rowLength(tensor);
  if (length === undefined) return undefined;
  const { data } = tensor;
  let start = 0;
  let end = length;
  while (start < length && Number(data[start]) === 0) start++;
  while (end > start && Number(data[end - 1]) === 0) end--;
  return start === end ? undefined : { start, end, length };
}
