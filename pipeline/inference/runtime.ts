/**
 * Where the inference runtime comes from. Left alone, `session.ts` finds onnxruntime-web's WebAssembly beside its
 * code; a host that keeps it elsewhere, may not compile it, or has a faster runtime, says so here before the first
 * session.
 *
 * @module
 */

import type { PlimsollError } from "../../core/errors.ts";

/** onnxruntime-web's WebAssembly: its bytes, or compiled, as workerd wants it. */
export type RuntimeBinary = ArrayBuffer | Uint8Array<ArrayBuffer> | WebAssembly.Module;

/** A runtime with the interface of onnxruntime-common, as onnxruntime-node has. */
export interface NativeRuntime {
  /** Its class of sessions. */
  readonly InferenceSession: object;
  /** Its class of tensors. */
  readonly Tensor: object;
}

/** What a host can supply. */
export type RuntimeSource =
  /** onnxruntime-web with this WebAssembly (`ort-wasm-simd-threaded.wasm` of the same version). */
  | { readonly kind: "wasm"; readonly binary: RuntimeBinary | (() => Promise<RuntimeBinary>) }
  /** Another build of ONNX Runtime. Its activations differ from onnxruntime-web's in the last bits. */
  | { readonly kind: "native"; readonly runtime: NativeRuntime };

let source: RuntimeSource | undefined;
let isTaken = false;

/**
 * Says where the runtime comes from.
 *
 * @throws {TypeError} When a session was made already: one process has one runtime.
 */
export function supplyRuntime(supplied: RuntimeSource): void {
  if (isTaken) {
    throw new TypeError(
      "Cannot supply a runtime: one is running already; call this before the first session",
    );
  }
  source = supplied;
}

/** What was supplied, when the runtime starts. */
export function takeRuntime(): RuntimeSource | undefined {
  isTaken = true;
  return source;
}

let lost: PlimsollError | undefined;

/** Why the runtime can't be used any more, if so: it ran out of memory, and every later call would fail. */
export function lostRuntime(): PlimsollError | undefined {
  return lost;
}

/** Gives the runtime up. */
export function loseRuntime(reason: PlimsollError): void {
  lost ??= reason;
}
