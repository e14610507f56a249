/**
 * Manifest → list of edits. Decides every scale, name and node of the quantized model, changes
 * nothing; `apply_edits.ts` does.
 *
 * @module
 */
import { STORED_CODES, weightCodes } from "./core/grid.ts";
import type { Manifest } from "./manifest.ts";
import type { ActivationStorage, Grid, WeightStorage } from "./core/types.ts";

/** One change of the float model. */
export type Edit =
  /** A node whose effect is in its producer's quantizer: its output is made by the producer. */
  | { readonly kind: "absorb"; readonly node: string }
  /** QuantizeLinear, Clip on the codes when the grid is narrower than uint8, DequantizeLinear. */
  | {
    readonly kind: "activation";
    readonly tensor: string;
    readonly grid: Grid;
    readonly storage: ActivationStorage;
    /** Whether codes beyond the grid must be cut off: not where the type or the producer does it. */
    readonly isClipped: boolean;
  }
  /** Weights to codes, with DequantizeLinear. */
  | {
    readonly kind: "weight";
    readonly node: string;
    readonly input: number;
    /** Axis of the scales; absent: one scale in all. */
    readonly axis?: number;
    /** Weights along the axis that share a scale; absent: one scale for each place on the axis. */
    readonly blockSize?: number;
    readonly scales: Float32Array;
    /** As many as scales. */
    readonly zeroPoints: readonly number[];
    readonly storage: WeightStorage;
    /** First and last code. */
    readonly codes: { readonly min: number; readonly max: number };
  }
  /** Bias to int32 codes; `scales` is fl32(input scale · weight scale). */
  | {
    readonly kind: "bias";
    readonly node: string;
    readonly input: number;
    /** As for the weights. */
    readonly axis?: number;
    readonly scales: Float32Array;
  };

/**
 * Edits that make the quantized model.
 *
 * @throws {RangeError} when the weights of the manifest have no steps yet.
 */
export function insertQdq(manifest: Manifest): Edit[] {
  const edits: Edit[] = [];
  const scaleOf = new Map(manifest.activations.map(({ tensor, scale }) => [tensor, scale]));
  for (const { tensor, fused, ...grid } of manifest.activations) {
    for (const node of fused) edits.push({ kind: "absorb", node });
    const { scale, zeroPoint, quantizedMin, quantizedMax, storage, derived = false } = grid;
    const [least, most] = STORED_CODES[storage];
    edits.push({
      kind: "activation",
      tensor,
      storage,
      grid: { scale, zeroPoint, quantizedMin, quantizedMax },
      // A preserving operator's codes are in range already; a Clip after it would do nothing.
      isClipped: !derived && (quantizedMin > least || quantizedMax < most),
    });
  }
  for (const weight of manifest.weights) {
    const { node, input, bits, constraint, bias, steps, activation, tensor, storage } = weight;
    if (steps === undefined) throw new RangeError(`Weights ${tensor} have no steps`);
    const scales = Float32Array.from(steps.scales);
    const isShared = weight.granularity === "tensor";
    edits.push({
      ...{ kind: "weight", node, input, scales },
      ...(isShared ? {} : { axis: weight.axis }),
      ...(weight.blockSize === undefined ? {} : { blockSize: weight.blockSize }),
      zeroPoints: steps.zeroPoints ?? steps.scales.map(() => 0),
      storage,
      codes: weightCodes(constraint, bits, storage),
    });
    const inputScale = scaleOf.get(activation);
    if (bias === undefined || inputScale === undefined) continue;
    // ONNX Runtime recognises the bias by exactly this float32 product.
    edits.push({
      ...{ kind: "bias", node, input: bias.input },
      ...(isShared ? {} : { axis: 0 }),
      scales: scales.map((s) => inputScale * s),
    });
  }
  return edits;
}
