/**
 * What a layer-wise comparison of a quantized model with its float model found. Plain JSON: `diagnosis.json`, and part
 * of reports.
 *
 * **Accumulated** error of a tensor T: T as the quantized model computes it, against T as the float model does, from
 * the same samples. It holds the errors of all layers before.
 *
 * **Local** error of T: T as the quantized model computes it *from float inputs*. Every quantized activation is cut:
 * what reads it gets the float model's values instead. So it holds what lies between these and T, and nothing else:
 * the rounded weights and biases of the layer that makes T, and the quantizer of T. Of an input of the model it is its
 * quantizer's error; of a float output of the model that of the weights behind the last quantized activations.
 *
 * @module
 */
import type { OutputLoss } from "./output_losses.ts";
import type { Override } from "../../tpc/targets/target.ts";

/** How far a tensor is from the float one, over all elements of all samples. */
export interface TensorError {
  /**
   * 10·log10(Σf² / Σ(q − f)²) in dB, f the float value and q the quantized one. Null where that isn't finite: there is
   * no error (then `maxAbs` is 0), or every float value is 0.
   */
  readonly sqnr: number | null;
  /** Σfq / √(Σf² · Σq²), −1 to 1; where all values of one are 0, whether those of the other are, as 1 or 0. */
  readonly cosine: number;
  /** The largest |q − f|, in units of the tensor. */
  readonly maxAbs: number;
}

/** Quantizer of an activation tensor, as the model has it. */
export interface DiagnosedQuantizer {
  /** Bits that its codes need: a clamp that narrows them may need fewer than the type has. */
  readonly bits: number;
  /** Whether a code stands for a value below zero. */
  readonly signed: boolean;
  /** Units of the tensor per step. */
  readonly scale: number;
  /** Least value of the grid. */
  readonly low: number;
  /** Greatest value of the grid. */
  readonly high: number;
}

/** One tensor of the two models. */
export interface DiagnosedTensor {
  /** Its name in the float model. */
  readonly tensor: string;
  /** Node of the quantized model that computes it before it is quantized; null for an input of the model. */
  readonly producer: { readonly op: string; readonly node: string } | null;
  /** Null for an output of the model that stays float. */
  readonly quantizer: DiagnosedQuantizer | null;
  /** Elements compared, all samples together. */
  readonly elements: number;
  /** See the head of this file. */
  readonly accumulated: TensorError;
  /** See the head of this file. */
  readonly local: TensorError;
  /**
   * Its accumulated SQNR is far below the local one, and below that of all that it is made from: an overflow, a kernel or
   * an optimizer that computes something else, or a function that magnifies small errors.
   */
  readonly isFault: boolean;
}

/** One change of the quantization, tried alone: the rest of the model as it was. */
export interface Remedy {
  /** The tensor that it is for; one of {@linkcode Diagnosis.worst}. */
  readonly tensor: string;
  /** What is changed: the error method, bits of the activation, bits of the layer's weights, or left float. */
  readonly kind: "error" | "bits" | "weight bits" | "float";
  /** The change in words, as `error mae`, `16 bits`, `weights of 8 bits`, `float`. */
  readonly change: string;
  /** Does it: `--override` with this as JSON. */
  readonly override: Override;
  /** SQNR of the model's first output with it, in dB; null where it isn't finite. */
  readonly sqnr: number | null;
  /** `sqnr` less that of the model as it was, in dB; null where one of them is null. */
  readonly gain: number | null;
  /** Part of the samples with the same class as the float model. */
  readonly agreement: number;
  /** Part of the labelled samples that it gets right; null without labels. */
  readonly top1: number | null;
}

/** Remedies with what they are measured against. */
export interface Remedies {
  /** The quantized model as it is, on the samples that the remedies were measured on. */
  readonly current: Pick<Remedy, "sqnr" | "agreement" | "top1">;
  /** Greatest gain first. */
  readonly tried: readonly Remedy[];
}

/** A diagnosis; plain JSON. */
export interface Diagnosis {
  /** Version of this form. */
  readonly schemaVersion: 1;
  /** Samples compared. */
  readonly samples: number;
  /** Where they come from: those of the calibration, or others. */
  readonly data: "calibration" | "evaluation";
  /** Quantized activations and float outputs, in topological order. */
  readonly tensors: readonly DiagnosedTensor[];
  /** Quantized tensors that the float model doesn't have by name: not compared. */
  readonly missing: readonly string[];
  /**
   * Names of the tensors that cost the outputs most, by their own quantizers and the weights of the layers that make
   * them, the worst first; where that wasn't measured, those with the least local SQNR.
   */
  readonly worst: readonly string[];
  /** What each quantizer costs the outputs, the most expensive first; absent where it wasn't measured. */
  readonly losses?: readonly OutputLoss[];
  /** The first output of the model, accumulated; null when it isn't float32. */
  readonly output: { readonly tensor: string } & TensorError | null;
  /** Null where none were tried. */
  readonly remedies: Remedies | null;
}
