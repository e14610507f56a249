/**
 * The inference runtime as a value: where it comes from, what it does, whether it still works. Whoever opens models
 * takes one in its options; see `default_runtime.ts` for the one that is there when nobody says.
 *
 * @module
 */
import type { PlimsollError } from "../../core/errors.ts";
import type { InputTensor, Tensor } from "../../core/tensor.ts";
import type { Model } from "../../onnx/file/model.ts";
import type { ConstantRunner } from "../../onnx/prepare/fold_constants.ts";

/** A model loaded for inference. One run at a time; release it when done. */
export interface InferenceSession {
  /** Names of the model's inputs. */
  readonly inputs: readonly string[];
  /** Names of the model's outputs. */
  readonly outputs: readonly string[];
  /**
   * Runs the model and returns the named float32 outputs, copied out of the runtime.
   *
   * @throws {PlimsollError} kind `runtime`.
   */
  run(
    feeds: ReadonlyMap<string, InputTensor>,
    outputs: readonly string[],
  ): Promise<Map<string, Tensor>>;
  /** Ends profiling and returns the profile: a JSON array of events, one a line. */
  endProfiling(): string;
  /** Frees the runtime's memory. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** How a model is opened. */
export interface SessionOptions {
  /** What messages call the model. */
  readonly name: string;
  /** Record which kernels run. */
  readonly profile?: boolean;
  /**
   * Graph optimization level, default `all`. `disabled` runs every node as it is written: DequantizeLinear, the float
   * operator, QuantizeLinear. It changes bits, so statistics are always those of `all`.
   */
  readonly optimization?: "disabled" | "basic" | "extended" | "all";
}

/** An inference runtime. */
export interface Runtime {
  /** What messages call it. */
  readonly name: "onnxruntime-web" | "onnxruntime-node";
  /** Its version, as far as it says: builds of one version give the same bits on the same kind of machine. */
  readonly version?: string;
  /**
   * Loads a model; the first one starts the runtime.
   *
   * @throws {PlimsollError} kind `runtime` when it refuses the model, and `lost` once that is there.
   */
  open(model: Model, options: SessionOptions): Promise<InferenceSession>;
  /** Computes a model without inputs, for constant folding. */
  readonly runConstants: ConstantRunner;
  /** Why it can't be used any more, if so: it ran out of memory, and every later call would fail. */
  readonly lost: PlimsollError | undefined;
}

/** onnxruntime-web's WebAssembly: its bytes, or compiled, as workerd wants it. */
export type RuntimeBinary = ArrayBuffer | Uint8Array<ArrayBuffer> | WebAssembly.Module;

/** A runtime with the interface of onnxruntime-common, as onnxruntime-node has. */
export interface NativeRuntime {
  /** Its class of sessions. */
  readonly InferenceSession: object;
  /** Its class of tensors. */
  readonly Tensor: object;
  /** What it says of itself. */
  readonly env?: { readonly versions?: { readonly node?: string } };
}

/** What a host can supply. */
export type RuntimeSource =
  /** onnxruntime-web with this WebAssembly (`ort-wasm-simd-threaded.wasm` of the same version). */
  | { readonly kind: "wasm"; readonly binary: RuntimeBinary | (() => Promise<RuntimeBinary>) }
  /** Another build of ONNX Runtime. Its activations differ from onnxruntime-web's in the last bits. */
  | { readonly kind: "native"; readonly runtime: NativeRuntime };

/**
 * What decides the last bits of activations beside model and samples: name and version of the runtime, and for code of
 * the processor its kind of machine. WebAssembly gives the same bits on all of them.
 *
 * @example
 * ```ts
 * import { runtimeBuild } from "./runtime.ts";
 * import assert from "node:assert/strict";
 *
 * assert.equal(runtimeBuild({ name: "onnxruntime-web", version: "1.30.0" }), "onnxruntime-web 1.30.0");
 * ```
 */
export function runtimeBuild({ name, version }: Pick<Runtime, "name" | "version">): string {
  const build = `${name} ${version ?? "of an unknown version"}`;
  if (name === "onnxruntime-web") return build;
  const { process } = globalThis as { process?: { platform?: string; arch?: string } };
  return `${build} ${process?.platform ?? ""} ${process?.arch ?? ""}`;
}
