/**
 * How far activations reach, for rewrites: largest values of channels, and ranges of tensors. Extremes of parts give those
 * of the whole.
 *
 * @module
 */
import type { Sample, Tensor } from "../../core/tensor.ts";
import type { GraphOutline } from "../../onnx/graph/outline.ts";
import { clippedPairs } from "../../onnx/rewrites/equalize.ts";
import { withoutPlan } from "../../tpc/placement/overrides.ts";
import { resolve } from "../../tpc/placement/resolve.ts";
import type { Target } from "../../tpc/targets/target.ts";
import { type PassOptions, streamActivations } from "./stream_activations.ts";

/** What a pass of ranges has seen. */
export interface Reach {
  /** Largest value of each channel, at least 0, of tensors that channels are equalized of. */
  readonly maxima: ReadonlyMap<string, Float64Array>;
  /** Least and largest value, zero included, of tensors that may be shifted. */
  readonly ranges: ReadonlyMap<string, readonly [number, number]>;
}

/** Operators whose outputs have a small negative side. */
const SHIFTED_OPERATORS = [
  "HardSwish",
  "Silu",
  "Gelu",
  "LeakyRelu",
  "PRelu",
  "Elu",
  "Mish",
  "Selu",
];

/**
 * Streams samples through the model and notes how far what the target's rewrites are about reaches.
 *
 * @param isEnough Asked after every batch; true ends the pass there.
 */
export async function gatherReach(
  samples: ReadableStream<Sample>,
  options: PassOptions,
  isEnough: () => boolean = () => false,
): Promise<Reach> {
  const { equalization, shiftNegative } = options.target.rewrites ?? {};
  const maxima = new Map<string, Float64Array>();
  const ranges = new Map<string, [number, number]>();
  await streamActivations(samples, options, "ranges", ({ layers }, outline) => {
    const clipped = equalization ? new Set(clippedPairs(options.model)) : new Set<string>();
    const channels = layers.filter(({ tensor, axis }) => axis === 1 && clipped.has(tensor));
    const signed = shiftNegative ? signedTensors(outline, options.target) : [];
    return Promise.resolve(({ outputs }) => {
      for (const { tensor } of channels) includeChannels(maxima, tensor, outputs.get(tensor)!);
      for (const tensor of signed) includeRange(ranges, tensor, outputs.get(tensor)!);
      return isEnough();
    });
  });
  return { maxima, ranges };
}

/** What all parts together have seen. */
export function mergeReach(parts: readonly Reach[]): Reach {
  const maxima = new Map<string, Float64Array>();
  const ranges = new Map<string, readonly [number, number]>();
  for (const part of parts) {
    for (const [tensor, values] of part.maxima) {
      const known = maxima.get(tensor);
      maxima.set(tensor, known ? values.map((x, c) => Math.max(x, known[c])) : values);
    }
    for (const [tensor, [min, max]] of part.ranges) {
      const known = ranges.get(tensor);
      ranges.set(
        tensor,
        known ? [Math.min(min, known[0]), Math.max(max, known[1])] : [min, max],
      );
    }
  }
  return { maxima, ranges };
}

/** Activations of power-of-two grids, of operators with a small negative side. */
function signedTensors(outline: GraphOutline, target: Target): string[] {
  return resolve(outline, withoutPlan(target)).activations.filter(({ producer, spec, sameAs }) =>
    sameAs === undefined && spec.constraint === "pot" &&
    SHIFTED_OPERATORS.includes(producer?.op ?? "")
  ).map(({ tensor }) => tensor);
}

function includeRange(
  ranges: Map<string, [number, number]>,
  name: string,
  { data }: Tensor,
): void {
  let [min, max] = ranges.get(name) ?? [0, 0];
  for (const x of data) {
    if (x < min) min = x;
    if (x > max) max = x;
  }
  ranges.set(name, [min, max]);
}

function includeChannels(
  maxima: Map<string, Float64Array>,
  name: string,
  { data, dims }: Tensor,
): void {
  const channels = dims[1];
  const plane = data.length / (dims[0] * channels);
  const largest = maxima.get(name) ?? new Float64Array(channels);
  for (let i = 0, start = 0; start < data.length; i++, start += plane) {
    const c = i % channels;
    for (let k = start; k < start + plane; k++) if (data[k] > largest[c]) largest[c] = data[k];
  }
  maxima.set(name, largest);
}
