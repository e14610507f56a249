/**
 * The only file that knows WebAssembly: from bytes to a typed instance.
 *
 * This module is browser compatible.
 *
 * @module
 */
import { HISTOGRAM_SCALAR } from "./generated/histogram_scalar.ts";
import { HISTOGRAM_SIMD } from "./generated/histogram_simd.ts";

/** Address of an accumulator in linear memory; 0 is none. */
export type Handle = number;

/** A constant that the module exports: an immutable global of type i32. */
export interface Constant {
  readonly value: number;
}

/** What `assembly/index.ts` exports, with its comments. Lengths and addresses come from the module itself. */
export interface HistogramExports {
  readonly memory: WebAssembly.Memory;
  readonly SIMD: Constant;
  readonly INPUT: Constant;
  readonly INPUT_LENGTH: Constant;
  readonly ROWS: Constant;
  readonly ROW_N: Constant;
  readonly ROW_R1: Constant;
  readonly ROW_R2: Constant;
  readonly ROW_BIN: Constant;

  create(): Handle;
  reserve(): number;
  hasRoom(handle: Handle, count: number): number;
  observe(handle: Handle, count: number): void;
  flush(handle: Handle): void;

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

/** The binary of one of the two builds. */
export function histogramBinary(simd: boolean): Uint8Array<ArrayBuffer> {
  const binary = atob(simd ? HISTOGRAM_SIMD : HISTOGRAM_SCALAR);
  return Uint8Array.from(binary, (char) => char.charCodeAt(0));
}

/** Whether the engine takes the SIMD build. */
export function supportsSimd(): boolean {
  return WebAssembly.validate(histogramBinary(true));
}

/** Instantiates a compiled build. It imports nothing. */
export async function instantiateHistogram(module: WebAssembly.Module): Promise<HistogramExports> {
  const { exports } = await WebAssembly.instantiate(module);
  return exports as unknown as HistogramExports;
}
