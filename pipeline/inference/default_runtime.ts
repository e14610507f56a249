/**
 * The runtime that is used where nobody gives one: made when it is first wanted, from what the host supplied.
 *
 * @module
 */
import type { ConstantRunner } from "../../onnx/prepare/fold_constants.ts";
import type { Model } from "../../onnx/file/model.ts";
import type { InferenceSession, Runtime, RuntimeSource, SessionOptions } from "./runtime.ts";
import { createRuntime } from "./session.ts";

let source: RuntimeSource | undefined;
let made: Runtime | undefined;

/** The default runtime. */
export function defaultRuntime(): Runtime {
  return made ??= createRuntime(source);
}

/**
 * Says where the default runtime comes from: for a host that keeps onnxruntime-web's WebAssembly elsewhere, may not
 * compile it, or has a faster runtime.
 *
 * @throws {TypeError} When it is there already.
 */
export function supplyRuntime(supplied: RuntimeSource): void {
  if (made !== undefined) {
    throw new TypeError(
      "Cannot supply a runtime: one is running already; call this before the first session",
    );
  }
  source = supplied;
}

/** Loads a model into the runtime that the options give, or the default one. */
export async function createSession(
  model: Model,
  { runtime = defaultRuntime(), ...options }: SessionOptions & { readonly runtime?: Runtime },
): Promise<InferenceSession> {
  return await runtime.open(model, options);
}

/** Computes constants in the default runtime. */
export const runConstants: ConstantRunner = (model) => defaultRuntime().runConstants(model);
