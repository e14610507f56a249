/**
 * The inference runtimes of Deno: onnxruntime-web, which comes with Plimsoll, and onnxruntime-node where its package lies
 * in the cache already. The latter is never downloaded from here: it takes 290 MB.
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";
import { supplyRuntime } from "../../pipeline/inference/default_runtime.ts";
import { nativeLibraries, type RuntimeKind } from "./native_package.ts";

let used: RuntimeKind = "wasm";

/** Which runtime models of this process run with. */
export function usedRuntime(): RuntimeKind {
  return used;
}

/** Whether onnxruntime-node is in the cache, for this kind of machine. */
export async function hasNative(): Promise<boolean> {
  try {
    return (await Deno.stat(libraries())).isDirectory;
  } catch {
    // It isn't there, or may not be looked at, and then it couldn't be loaded either.
    return false;
  }
}

/**
 * Runs models with onnxruntime-node from now on; to be called before the first session.
 *
 * @throws {PlimsollError} kind `usage` when it isn't there, or may not be loaded.
 */
export async function useNative(): Promise<void> {
  if (used === "native") return;
  const fail = (wanted: string, found: string, remedy: string, cause?: unknown) =>
    new PlimsollError("usage", {
      action: "loading onnxruntime-node for --runtime native",
      wanted,
      found,
      remedy: `${remedy}, or use --runtime wasm`,
      cause,
    });
  if (!await hasNative()) {
    throw fail(
      "it in Deno's cache beside onnxruntime-web",
      "nothing there",
      "Run: deno task install:native",
    );
  }
  // Not a literal: nothing shall load it for being named here.
  const name: string = "onnxruntime-node";
  try {
    const module = await import(name);
    supplyRuntime({ kind: "native", runtime: module.default ?? module });
    used = "native";
  } catch (cause) {
    throw fail(
      "its library",
      (cause as Error).message,
      cause instanceof Deno.errors.NotCapable
        ? `Allow it with --allow-ffi=${libraries()}, as deno task does`
        : "Run: deno task install:native",
      cause,
    );
  }
}

/** Folder of the library of onnxruntime-node, whether it is there or not. */
function libraries(): string {
  const web = new URL(import.meta.resolve("onnxruntime-web/wasm"));
  const { pathname } = nativeLibraries(web, Deno.build);
  return decodeURIComponent(Deno.build.os === "windows" ? pathname.slice(1) : pathname);
}
