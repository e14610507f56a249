/**
 * The only file that knows WebAssembly: from bytes to a typed instance.
 *
 * This module is browser compatible.
 *
 * @module
 */
import { HISTOGRAM_SCALAR } from "./generated/histogram_scalar.ts";
import { HISTOGRAM_SIMD } from "./generated/histogram_simd.ts";
import { decodeBinary, suppliedWasm } from "./supply.ts";

/** Options of {@linkcode createHistogramCore} and {@linkcode createDirectErrorsCore}: which build to load. */
export interface CoreOptions {
  /**
   * `true` or `false` demands one of the two builds.
   *
   * @default {whether the engine has SIMD}
   */
  readonly simd?: boolean;
  /**
   * A compiled build, for hosts that do not compile bytes at run time (Cloudflare workerd). It says by itself whether it
   * is the SIMD build. `wasm/build.ts --emit` writes both as files.
   */
  readonly module?: WebAssembly.Module;
}

/** Address of an accumulator in linear memory; 0 is none. */
export type Handle = number;

/** A constant that the module exports: an immutable global of type i32. */
export interface Constant {
  readonly value: number;
}

/** What all parts of the module share. Lengths and addresses come from the module itself. */
export interface ModuleExports {
  readonly memory: WebAssembly.Memory;
  readonly SIMD: Constant;
  readonly INPUT: Constant;
  readonly INPUT_LENGTH: Constant;
}

/** What `assembly/index.ts` exports for the histogram, with its comments. */
export interface HistogramExports extends ModuleExports {
  readonly ROWS: Constant;
  readonly ROW_N: Constant;
  readonly ROW_R1: Constant;
  readonly ROW_R2: Constant;
  readonly ROW_BIN: Constant;
  readonly SUMS: Constant;
  readonly SHORTEST_RUN: Constant;

  create(): Handle;
  reserve(): number;
  hasRoom(handle: Handle, count: number): number;
  observe(handle: Handle, count: number): void;
  flush(handle: Handle): void;
  sumRuns(count: number, run: number): void;

  countBins(handle: Handle): number;
  readRows(handle: Handle, bin: number): number;
  findFullBin(handle: Handle, count: number): number;
  addRows(handle: Handle, count: number): void;
  addTotals(
    handle: Handle,
    finite: number,
    zeros: number,
    nan: number,
    positiveInfinity: number,
    negativeInfinity: number,
    min: number,
    max: number,
  ): void;

  finite(handle: Handle): number;
  zeros(handle: Handle): number;
  nan(handle: Handle): number;
  positiveInfinity(handle: Handle): number;
  negativeInfinity(handle: Handle): number;
  minimum(handle: Handle): number;
  maximum(handle: Handle): number;
}

/** What `assembly/index.ts` exports for the errors over elements, with its comments. */
export interface DirectErrorsExports extends ModuleExports {
  createDirectErrors(grids: number): Handle;
  setGrid(handle: Handle, index: number, step: number, low: number, high: number): void;
  observeDirectly(handle: Handle, count: number): void;
  countDirectly(handle: Handle): number;
  clearDirectly(handle: Handle): void;
  squaredError(handle: Handle, index: number): number;
  absoluteError(handle: Handle, index: number): number;
}

/** The binary of one of the two builds. */
export function histogramBinary(simd: boolean): Uint8Array<ArrayBuffer> {
  return decodeBinary(simd ? HISTOGRAM_SIMD : HISTOGRAM_SCALAR, "histogram");
}

/** Whether the engine takes the SIMD build. */
export function supportsSimd(): boolean {
  return WebAssembly.validate(histogramBinary(true));
}

/**
 * Instantiates a build. It imports nothing.
 *
 * @param name What the instance is for, to be named in errors.
 */
export async function instantiate(
  name: string,
  options: CoreOptions,
): Promise<HistogramExports & DirectErrorsExports> {
  const module = options.module ??
    (options.simd === undefined ? suppliedWasm().histogram : undefined) ??
    await WebAssembly.compile(histogramBinary(options.simd ?? supportsSimd()));
  const instance = await WebAssembly.instantiate(module);
  const exports = instance.exports as unknown as HistogramExports & DirectErrorsExports;
  const isSimd = exports.SIMD.value === 1;
  if (options.simd !== undefined && options.simd !== isSimd) {
    throw new TypeError(
      `Cannot create the ${name}: wanted simd ${options.simd}, found a module with simd ${isSimd}`,
    );
  }
  return exports;
}

/** The error for a host that has no more memory. */
export function noMemoryError(action: string, wasm: ModuleExports): RangeError {
  const mebibytes = Math.round(wasm.memory.buffer.byteLength / 2 ** 20);
  return new RangeError(
    `Cannot ${action}: the host refuses more WebAssembly memory than the ${mebibytes} MiB in use`,
  );
}
