/**
 * Manifest → list of edits. Decides every scale, name and node of the quantized model, changes
 * nothing; `apply_edits.ts` does.
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";
import { LEAST_STEP, MAX_FLOAT, STORED_CODES } from "../../core/grid.ts";
import type { Manifest } from "../manifest.ts";
import { BIAS_INPUT } from "../../onnx/operators/operators.ts";
import type { WeightGrid } from "../../onnx/quantized/quantize_weights.ts";
import type { LayerWeight } from "./layers/layer_weight.ts";
import type { StoredConstant } from "./layers/stored_weights.ts";
import { weightGrid } from "./weight_grid.ts";
import type { ActivationStorage, Grid, WeightStorage } from "../../core/types.ts";

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
    readonly storage: WeightStorage;
    /** The codes, where they aren't the nearest ones. */
    readonly rounded?: Int16Array;
  } & WeightGrid
  /** A linear layer whose input is quantized at run time. */
  | { readonly kind: "dynamic" } & LayerWeight
  /** A linear layer that computes in float with weights in blocks of four bits. */
  | { readonly kind: "blocks" } & LayerWeight
  /** Weights of a layer that computes in float, stored as codes. */
  | { readonly kind: "kept" } & LayerWeight
  /** A constant whatever reads it, stored in fewer bytes. */
  | { readonly kind: "stored" } & StoredConstant
  /** An LSTM with weights in int8 that quantizes its input at run time. */
  | { readonly kind: "recurrent"; readonly node: string; readonly bits: number }
  /** The table of a Gather to int8 codes, one step a row, or to four bits in blocks. */
  | { readonly kind: "table"; readonly node: string; readonly blockSize?: number }
  /** Bias to int32 codes; `scales` is fl32(input scale · weight scale), absent where it stays float. */
  | {
    readonly kind: "bias";
    readonly node: string;
    readonly input: number;
    /** As for the weights. */
    readonly axis?: number;
    readonly scales?: Float32Array;
    /** What is taken away from each element before; a layer without a bias gets one. */
    readonly shift?: readonly number[];
  };

/** Codes of weights that aren't the nearest ones, by the name of their node. */
export type WeightCodes = ReadonlyMap<string, Int16Array>;

/** Whether a float32 may be a scale. */
function isScale(scale: number): boolean {
  return scale >= LEAST_STEP && scale <= MAX_FLOAT;
}

/**
 * Edits that make the quantized model.
 *
 * @param codes Those of weights whose `rounding` says that they aren't the nearest ones.
 * @throws {PlimsollError} kind `input` when weights have no codes; {RangeError} when they have no steps yet.
 */
export function insertQdq(manifest: Manifest, codes: WeightCodes = new Map()): Edit[] {
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
    const { node, input, bias, biasShift: shift, activation, storage } = weight;
    const grid = weightGrid(weight);
    const rounded = codes.get(node);
    const { compute } = weight;
    if (weight.rounding !== undefined && rounded === undefined) {
      throw new PlimsollError("input", {
        action: "emitting the quantized model",
        wanted: `codes of weights ${JSON.stringify(weight.tensor)}, which aren't the nearest ones`,
        found: "a manifest without a file of codes",
        remedy: "Give manifest and codes that were written together",
      });
    }
    const own = {
      node,
      input,
      storage,
      ...grid,
      ...(weight.rounding === undefined ? {} : { rounded }),
    };
    if (compute !== undefined) {
      // The bias first: what stands for the layer takes the one that it has by then.
      if (shift !== undefined) {
        edits.push({ kind: "bias", node, input: bias?.input ?? BIAS_INPUT, shift });
      }
      const isBlocked = grid.blockSize !== undefined;
      edits.push({
        kind: compute === "dynamic" ? "dynamic" : isBlocked ? "blocks" : "kept",
        ...own,
      });
      continue;
    }
    edits.push({ kind: "weight", ...own });
    const inputScale = scaleOf.get(activation);
    if (bias === undefined && shift === undefined || inputScale === undefined) continue;
    // ONNX Runtime recognises the bias by exactly this float32 product.
    const scales = grid.scales.map((s) => inputScale * s);
    edits.push({
      kind: "bias",
      node: bias?.node ?? node,
      input: bias?.input ?? BIAS_INPUT,
      ...(shift === undefined ? {} : { shift }),
      // A bias code has one scale for all its products: blocks have several. One that would be no normal number leaves
      // the bias float.
      ...(grid.blockSize !== undefined || !scales.every(isScale) ? {} : {
        ...(grid.axis === undefined ? {} : { axis: 0 }),
        scales,
      }),
    });
  }
  for (const { node, blockSize } of manifest.tables ?? []) {
    edits.push({ kind: "table", node, ...(blockSize === undefined ? {} : { blockSize }) });
  }
  for (const { node, bits } of manifest.recurrent ?? []) {
    edits.push({ kind: "recurrent", node, bits });
  }
  for (const { tensor, type } of manifest.stored ?? []) {
    if (type === undefined) throw new RangeError(`Nobody has looked at ${tensor} yet`);
    if (type !== "float32") edits.push({ kind: "stored", tensor, type });
  }
  return edits;
}
