/**
 * Manifest → list of edits. Decides every scale, name and node of the quantized model, changes
 * nothing; `apply_edits.ts` does.
 *
 * @module
 */
import { PlimsollError } from "./core/errors.ts";
import { weightCodes } from "./core/grid.ts";
import type { Manifest } from "./manifest.ts";
import type { Grid } from "./core/types.ts";

/** One change of the float model. */
export type Edit =
  /** A node whose effect is in its producer's quantizer: its output is made by the producer. */
  | { readonly kind: "absorb"; readonly node: string }
  /** QuantizeLinear, Clip on the codes when the grid is narrower than uint8, DequantizeLinear. */
  | { readonly kind: "activation"; readonly tensor: string; readonly grid: Grid }
  /** Weights to int8 codes, with DequantizeLinear. */
  | {
    readonly kind: "weight";
    readonly node: string;
    readonly input: number;
    /** Axis of the scales; absent: one scale in all. */
    readonly axis?: number;
    readonly scales: Float32Array;
    /** As many as scales. */
    readonly zeroPoints: Int8Array;
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

/** Bits of uint8, in which activation codes are stored. */
const STORED_BITS = 8;

/** Throws {@linkcode PlimsollError} kind `target` for codes that storage does not hold. */
export function checkBits(bits: number, whose: string): void {
  if (bits <= STORED_BITS) return;
  throw new PlimsollError("target", {
    action: "emitting the quantized model",
    wanted: `activations of at most ${STORED_BITS} bits, which uint8 holds`,
    found: `${bits} bits for ${whose}`,
    remedy:
      "Use --bits 8 or fewer; wider storage types are not emitted yet (search handles up to 16)",
  });
}

/**
 * Edits that make the quantized model.
 *
 * @throws {RangeError} when the weights of the manifest have no steps yet.
 */
export function insertQdq(manifest: Manifest): Edit[] {
  const edits: Edit[] = [];
  const scaleOf = new Map(manifest.activations.map(({ tensor, scale }) => [tensor, scale]));
  for (const { tensor, fused, sameAs, ...grid } of manifest.activations) {
    for (const node of fused) edits.push({ kind: "absorb", node });
    const { scale, zeroPoint } = grid;
    checkBits(grid.bits, `tensor ${JSON.stringify(tensor)}`);
    // A preserving operator's codes are in range already; a Clip after it would do nothing.
    const [quantizedMin, quantizedMax] = sameAs === undefined
      ? [grid.quantizedMin, grid.quantizedMax]
      : [0, 255];
    edits.push({
      kind: "activation",
      tensor,
      grid: { scale, zeroPoint, quantizedMin, quantizedMax },
    });
  }
  for (const weight of manifest.weights) {
    const { node, input, bits, constraint, bias, steps, activation, tensor } = weight;
    if (steps === undefined) throw new RangeError(`Weights ${tensor} have no steps`);
    const scales = Float32Array.from(steps.scales);
    const isShared = weight.granularity === "tensor";
    edits.push({
      ...{ kind: "weight", node, input, scales },
      ...(isShared ? {} : { axis: weight.axis }),
      zeroPoints: Int8Array.from(steps.zeroPoints ?? steps.scales.map(() => 0)),
      codes: weightCodes(constraint, bits),
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
