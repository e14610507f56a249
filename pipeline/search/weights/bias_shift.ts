/**
 * What the rounding of weights adds to each output channel on average.
 *
 * @module
 */
import type { LinearLayer } from "../../../tpc/onnx/linear_layer.ts";

/** What {@linkcode biasShift} starts from. */
export interface ShiftInput {
  readonly layer: LinearLayer;
  /** The weights as they will be after rounding, in the order of those of the layer. */
  readonly rounded: Float64Array;
  /** Mean of each input channel of the float model. */
  readonly means: Float64Array;
  /** Part of the output positions at which each tap of the kernel meets an element; absent where all do. */
  readonly coverage?: Float64Array;
}

/**
 * E[(Q(W) − W)·x] of each output channel, in real units: to be taken away from the bias (Nagel et al. 2019,
 * "Data-Free Quantization Through Weight Equalization and Bias Correction", section 4.2; here with the means of
 * calibration data instead of those of BatchNormalization). Taps that often meet padding, which is zero, count only
 * as often as they don't; the mean at the border is taken for that of the whole map.
 */
export function biasShift({ layer, rounded, means, coverage }: ShiftInput): Float64Array {
  const { weight: { data }, channels } = layer;
  const shift = new Float64Array(channels.output);
  const taps = coverage?.length ?? 1;
  for (let i = 0; i < rounded.length; i++) {
    const error = rounded[i] - data[i];
    if (error === 0) continue;
    shift[layer.outputChannel(i)] += error * means[layer.inputChannel(i)] *
      (coverage === undefined ? 1 : coverage[i % taps]);
  }
  return shift;
}
