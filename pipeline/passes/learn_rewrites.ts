/**
 * Rewrites that need data: a pass of samples finds out how far the activations reach.
 *
 * @module
 */
import { powerOfTwoAtLeast } from "../../core/grid.ts";
import { clippedPairs } from "../../onnx/rewrites/equalize.ts";
import type { GraphOutline } from "../../onnx/graph/outline.ts";
import { withoutPlan } from "../../tpc/placement/overrides.ts";
import { resolve } from "../../tpc/placement/resolve.ts";
import type { Rewrites } from "../../onnx/rewrites/rewrites.ts";
import type { Target } from "../../tpc/targets/target.ts";
import type { Sample, Tensor } from "../../core/tensor.ts";
import { type PassOptions, streamActivations } from "./stream_activations.ts";

/**
 * Largest part of the positive side that the negative side of a tensor may have to be shifted. MCT's
 * `shift_negative_ratio` is 0.05; HardSwish and SiLU on small activations have more and gain as much.
 */
const SHIFT_RATIO = 0.25;

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

/** Whether a target wants rewrites that need a pass over the samples. */
export function needsData({ rewrites }: Target): boolean {
  return rewrites?.equalization === true || rewrites?.shiftNegative === true;
}

/**
 * Streams samples through the model and completes its rewrites with those of the target that need data.
 *
 * @param options With the model as `rewrites` has made it.
 * @param rewrites Those that were applied already.
 */
export async function learnRewrites(
  samples: ReadableStream<Sample>,
  options: PassOptions,
  rewrites: Rewrites,
): Promise<Rewrites> {
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
      return false;
    });
  });
  const minima = [...ranges].filter(([_, [min, max]]) => min < 0 && -min <= SHIFT_RATIO * max)
    // By a power of two, so that zero, which many elements are, stays on the grid: 2 dB on PaddleOCR's classifier.
    .map(([tensor, [min]]) => [tensor, -powerOfTwoAtLeast(-min)]);
  return {
    ...rewrites,
    ...(equalization
      ? { equalization: Object.fromEntries([...maxima].map(([name, list]) => [name, [...list]])) }
      : {}),
    ...(minima.length > 0 ? { shiftNegative: Object.fromEntries(minima) } : {}),
  };
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
