/**
 * Where onnxruntime-node lies.
 *
 * @module
 */

/** onnxruntime-web, or onnxruntime-node where it is installed. */
export type RuntimeKind = "wasm" | "native";

/**
 * Folder of the library for this kind of machine. Whatever keeps packages, a cache by version or `node_modules`, puts
 * onnxruntime-node where the onnxruntime-web of the same version is, but for the name.
 *
 * @param web A file in the package of onnxruntime-web.
 * @param build System and processor, as Deno calls them.
 *
 * @example
 * ```ts
 * import { nativeLibraries } from "./native_package.ts";
 * import assert from "node:assert/strict";
 *
 * const web = new URL("file:///cache/onnxruntime-web/1.30.0/dist/ort.mjs");
 * assert.equal(
 *   nativeLibraries(web, { os: "linux", arch: "x86_64" }).pathname,
 *   "/cache/onnxruntime-node/1.30.0/bin/napi-v6/linux/x64/",
 * );
 * ```
 */
export function nativeLibraries(web: URL, { os, arch }: { os: string; arch: string }): URL {
  const root = web.href.replace(
    /onnxruntime-web\/((?:[^/]+\/)?)dist\/[^/]*$/,
    "onnxruntime-node/$1",
  );
  return new URL(`bin/napi-v6/${NODE_NAMES[os] ?? os}/${NODE_NAMES[arch] ?? arch}/`, root);
}

/** What Node calls systems and processors, where it differs. */
const NODE_NAMES: Readonly<Record<string, string>> = {
  windows: "win32",
  x86_64: "x64",
  aarch64: "arm64",
};
