/**
 * Compiled WebAssembly that a host hands in, where it forbids to compile bytes at run time (Cloudflare workerd), or
 * where the bytes lie in files of their own beside a bundle. Elsewhere nobody calls this: the binaries in
 * `generated/` are compiled when they are needed.
 *
 * This module is browser compatible.
 *
 * @module
 */

/** Compiled modules. What is left out is compiled from `generated/`. */
export interface WasmModules {
  /** Either build of `assembly/`; it says by itself whether it is the SIMD build. */
  readonly histogram?: WebAssembly.Module;
  /** The image core. */
  readonly image?: WebAssembly.Module;
}

let supplied: WasmModules = {};

/**
 * Hands in compiled modules, for every core that is made from now on without a module of its own.
 *
 * @example Usage
 * ```ts
 * import { supplyWasm } from "./supply.ts";
 * import { histogramBinary } from "./instance.ts";
 * import { createHistogramCore } from "./mod.ts";
 * import assert from "node:assert/strict";
 *
 * supplyWasm({ histogram: await WebAssembly.compile(histogramBinary(false)) });
 * assert.equal((await createHistogramCore()).name, "scalar");
 * ```
 */
export function supplyWasm(modules: WasmModules): void {
  supplied = { ...supplied, ...modules };
}

/** What was handed in. */
export function suppliedWasm(): WasmModules {
  return supplied;
}

/**
 * A binary of `generated/` from its base64.
 *
 * @throws {TypeError} Where the bundle leaves it out and nobody handed it in.
 */
export function decodeBinary(base64: string, name: keyof WasmModules): Uint8Array<ArrayBuffer> {
  if (base64 === "") {
    throw new TypeError(
      `Cannot load the ${name} core: this bundle has no WebAssembly inside; call supplyWasm({ ${name}: module }) first`,
    );
  }
  return Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
}
