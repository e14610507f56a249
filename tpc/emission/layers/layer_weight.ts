/**
 * Weights of one layer on their way into the model.
 *
 * @module
 */
import type { WeightStorage } from "../../../core/types.ts";
import type { WeightGrid } from "../../../onnx/quantized/quantize_weights.ts";

/** Weights of one input of one node, with the grid that they lie on. */
export interface LayerWeight extends WeightGrid {
  readonly node: string;
  readonly input: number;
  readonly storage: WeightStorage;
  /** The codes, where they aren't the nearest ones. */
  readonly rounded?: Int16Array;
}
