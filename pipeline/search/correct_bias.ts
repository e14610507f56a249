/**
 * Bias correction of the layers of a manifest.
 *
 * @module
 */
import type { ManifestWeight } from "../../tpc/manifest.ts";
import type { LinearLayer } from "../../onnx/layers/linear_layer.ts";
import { operatorNamed } from "../../onnx/operators/operators.ts";
import { dequantizeCodes } from "../../onnx/quantized/quantize_weights.ts";
import { weightGrid } from "../../tpc/emission/weight_grid.ts";
import { channelMeans, channelVariances } from "../statistics/channel_sums.ts";
import { channelAxis } from "../../tpc/placement/types.ts";
import type { Statistics } from "../statistics/statistics.ts";
import { biasShift } from "./weights/bias_shift.ts";

/** How the reason of a correction begins. */
const CORRECTED = "bias corrected";

/** Whether a layer has a bias that may be corrected. */
export function takesShift(
  { op, input, biasCorrection = true }: Pick<ManifestWeight, "op" | "input" | "biasCorrection">,
): boolean {
  return biasCorrection && input === 1 && operatorNamed(op)?.weights?.bias !== undefined;
}

/** Means of the input channels of a layer whose bias is to be corrected; undefined for others. */
export function layerMeans(
  weight: Pick<ManifestWeight, "op" | "input" | "activation" | "biasCorrection">,
  { channels }: Statistics,
): Float64Array | undefined {
  if (!takesShift(weight)) return undefined;
  const { activation } = weight;
  const layer = channels.find(({ tensor, axis }) => tensor === activation && axis === 1);
  return layer && channelMeans(layer);
}

/**
 * How much the error of a weight counts: the variance of its input, or the mean square where no bias takes the mean.
 * One for each input channel; undefined for operators that aren't layers, and where it isn't known.
 */
export function inputVariances(
  { op, input, activation }: Pick<ManifestWeight, "op" | "input" | "activation">,
  { channels }: Statistics,
  isCentred: boolean,
): Float64Array | undefined {
  const axis = channelAxis(op);
  const layer = input === 1
    ? channels.find((each) => each.tensor === activation && each.axis === axis)
    : undefined;
  const variances = layer && channelVariances(layer);
  if (layer === undefined || variances === undefined || isCentred) return variances;
  const means = channelMeans(layer)!;
  return variances.map((variance, c) => variance + means[c] * means[c]);
}

/** The weight tensor with the shift of its bias that follows from its codes. */
export function shiftBias(
  weight: ManifestWeight,
  layer: LinearLayer,
  means: Float64Array,
  codes: Int16Array,
): ManifestWeight {
  if (layer.channels.input !== means.length) return weight;
  const rounded = dequantizeCodes(codes, layer.weight.dims, weightGrid(weight));
  return withShift(weight, biasShift({ layer, rounded, means }));
}

/**
 * The weight tensor with a shift of its bias.
 *
 * @param how What its reason says behind how much that is.
 */
export function withShift(weight: ManifestWeight, shift: Float64Array, how = ""): ManifestWeight {
  const largest = shift.reduce((max, x) => Math.max(max, Math.abs(x)), 0);
  return {
    ...weight,
    biasShift: [...shift],
    // That of an earlier correction, with other codes, no longer holds.
    reason: [
      ...weight.reason.filter((text) => !text.startsWith(CORRECTED)),
      `${CORRECTED} by up to ${largest.toPrecision(3)}${how}`,
    ],
  };
}
