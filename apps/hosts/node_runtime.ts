/**
 * The inference runtimes of Node.
 *
 * @module
 */
import { access, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { PlimsollError } from "../../core/errors.ts";
import { supplyRuntime } from "../../pipeline/inference/default_runtime.ts";
import type { RuntimeKind } from "./native_package.ts";
import type { NativeRuntime, RuntimeSource } from "../../pipeline/inference/runtime.ts";

/** Says which runtime this process uses; to be called before the first session. */
export async function supplyNodeRuntime(runtime: RuntimeKind): Promise<void> {
  if (runtime === "native") {
    return supplyRuntime({ kind: "native", runtime: await loadNative() });
  }
  supplyRuntime(nodeRuntimeSource());
}

/** onnxruntime-web where npm has put it: its code looks for the file by fetch, which doesn't read files here. */
export function nodeRuntimeSource(): RuntimeSource {
  return { kind: "wasm", binary: readBinary };
}

/** Whether onnxruntime-node is installed, for this kind of machine. */
export async function hasNative(): Promise<boolean> {
  try {
    // Its package may lie elsewhere than that of onnxruntime-web: whoever uses both decides.
    const { resolve } = createRequire(import.meta.url);
    const package_ = pathToFileURL(resolve("onnxruntime-node"));
    const { platform, arch } = process;
    await access(new URL(`../bin/napi-v6/${platform}/${arch}/onnxruntime_binding.node`, package_));
    return true;
  } catch {
    return false;
  }
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
