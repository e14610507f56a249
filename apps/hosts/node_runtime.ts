/**
 * The inference runtimes of Node.
 *
 * @module
 */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { PlimsollError } from "../../core/errors.ts";
import { supplyRuntime } from "../../pipeline/inference/default_runtime.ts";
import type { NativeRuntime, RuntimeSource } from "../../pipeline/inference/runtime.ts";

/** onnxruntime-web, or onnxruntime-node where it is installed. */
export type NodeRuntime = "wasm" | "native";

/** Says which runtime this process uses; to be called before the first session. */
export async function supplyNodeRuntime(runtime: NodeRuntime): Promise<void> {
  if (runtime === "native") {
    return supplyRuntime({ kind: "native", runtime: await loadNative() });
  }
  supplyRuntime(nodeRuntimeSource());
}

/** onnxruntime-web where npm has put it: its code looks for the file by fetch, which doesn't read files here. */
export function nodeRuntimeSource(): RuntimeSource {
  return { kind: "wasm", binary: readBinary };
}

async function readBinary(): Promise<Uint8Array<ArrayBuffer>> {
  const { resolve } = createRequire(import.meta.url);
  const bytes = await readFile(resolve("onnxruntime-web/ort-wasm-simd-threaded.wasm"));
  // A copy: small files share a buffer with others.
  return new Uint8Array(bytes);
}

async function loadNative(): Promise<NativeRuntime> {
  // Not a literal: it is installed or not, and no compiler needs to find it.
  const name: string = "onnxruntime-node";
  try {
    const module = await import(name);
    return module.default ?? module;
  } catch (cause) {
    throw new PlimsollError("usage", {
      action: "loading onnxruntime-node for --runtime native",
      wanted: "it installed beside plimsoll",
      found: (cause as Error).message,
      remedy:
        "Run: ONNXRUNTIME_NODE_INSTALL=skip npm install onnxruntime-node@1.30.0, or leave --runtime out",
      cause,
    });
  }
}
