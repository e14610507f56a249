/**
 * The exact histogram in WebAssembly: host side.
 *
 * This module is browser compatible.
 *
 * @module
 */
import { checkHistogramData, checkTotal, checkValues } from "./checks.ts";
import { countAll, fullBinError, noRoomError } from "./checks.ts";
import type { Accumulator, HistogramCore, HistogramData } from "./histogram.ts";
import type { CoreOptions, Handle, HistogramExports } from "./instance.ts";
import { instantiate, noMemoryError } from "./instance.ts";
import { type RunSums, sumRuns } from "./run_sums.ts";

/**
 * Loads the numeric core: one WebAssembly instance for any number of accumulators. Their memory is given
 * back when the core and its accumulators are garbage.
 *
 * Memory: 4.1 MiB for the core, of which only what is used gets committed; about 6 KiB for each octave and sign
 * that a tensor has elements in, so 0.1 to 0.4 MiB for a tensor of activations, however many elements.
 *
 * @example Usage
 * ```ts
 * import { createHistogramCore } from "./core.ts";
 * import assert from "node:assert/strict";
 *
 * const core = await createHistogramCore();
 * const accumulator = core.create();
 * accumulator.observe(new Float32Array([0, 0.5, 2]));
 * accumulator.observe(new Float32Array([-6]));
 * const { finite, min, max } = accumulator.data();
 * assert.deepEqual([finite, min, max], [4, -6, 2]);
 * ```
 *
 * @throws {TypeError} When `simd` and `module` contradict each other.
 * @throws {WebAssembly.CompileError} When `simd` is `true` and the engine has none.
 */
export async function createHistogramCore(options: CoreOptions = {}): Promise<HistogramCore> {
  const exports = await instantiate("histogram core", options);
  return {
    name: exports.SIMD.value === 1 ? "simd" : "scalar",
    create: () => new WasmAccumulator(exports),
  };
}

class WasmAccumulator implements Accumulator {
  readonly #wasm: HistogramExports;
  readonly #handle: Handle;

  constructor(wasm: HistogramExports) {
    this.#wasm = wasm;
    this.#handle = wasm.create();
    if (this.#handle === 0) throw noMemoryError("create an accumulator", wasm);
  }

  observe(values: Float32Array, sums?: RunSums): void {
    checkValues(values);
    const wasm = this.#wasm;
    const action = `observe ${values.length} elements`;
    checkTotal(action, this.#countAll(), values.length);
    if (!wasm.hasRoom(this.#handle, values.length)) throw noRoomError(values.length);
    if (!wasm.reserve()) throw noMemoryError(action, wasm);

    // Memory does not grow from here on, so the view stays valid.
    const capacity = wasm.INPUT_LENGTH.value;
    const input = new Float32Array(wasm.memory.buffer, wasm.INPUT.value, capacity);
    const isSummed = sums !== undefined && sums.run >= wasm.SHORTEST_RUN.value;
    const length = isSummed ? wholeRuns(sums.run, capacity) : capacity;
    sums?.sums.fill(0);
    sums?.squares.fill(0);
    for (let start = 0; start < values.length;) {
      const end = isSummed ? endOfPiece(start, sums.run, length) : start + length;
      const chunk = values.subarray(start, end);
      input.set(chunk);
      wasm.observe(this.#handle, chunk.length);
      if (isSummed) addSums(wasm, start, chunk.length, sums);
      start = end;
    }
    wasm.flush(this.#handle);
    if (sums !== undefined && !isSummed) sumRuns(values, sums);
  }

  add(data: HistogramData): void {
    checkHistogramData(data);
    const wasm = this.#wasm;
    const action = "add histogram data";
    checkTotal(action, this.#countAll(), countAll(data));
    if (!wasm.reserve()) throw noMemoryError(action, wasm);

    const rows = rowViews(wasm);
    // First all checks, then all changes: a failed merge leaves the accumulator as it was.
    for (let start = 0; start < data.bins.length; start += rows.capacity) {
      const count = rows.write(data, start);
      const full = wasm.findFullBin(this.#handle, count);
      if (full >= 0) throw fullBinError(data.bins[start + full]);
    }
    for (let start = 0; start < data.bins.length; start += rows.capacity) {
      wasm.addRows(this.#handle, rows.write(data, start));
    }
    wasm.addTotals(
      this.#handle,
      data.finite,
      data.zeros,
      data.nan,
      data.positiveInfinity,
      data.negativeInfinity,
      data.min,
      data.max,
    );
  }

  data(): HistogramData {
    const wasm = this.#wasm;
    const handle = this.#handle;
    const count = wasm.countBins(handle);
    const data: HistogramData = {
      finite: wasm.finite(handle),
      zeros: wasm.zeros(handle),
      nan: wasm.nan(handle),
      positiveInfinity: wasm.positiveInfinity(handle),
      negativeInfinity: wasm.negativeInfinity(handle),
      min: wasm.minimum(handle),
      max: wasm.maximum(handle),
      bins: new Uint32Array(count),
      n: new Float64Array(count),
      r1: new BigUint64Array(count),
      r2: new BigUint64Array(count),
    };
    const rows = rowViews(wasm);
    for (let start = 0; start < count;) {
      const bin = start === 0 ? 0 : data.bins[start - 1] + 1;
      const length = wasm.readRows(handle, bin);
      rows.read(data, start, length);
      start += length;
    }
    return data;
  }

  get nonFinite(): number {
    const wasm = this.#wasm;
    const handle = this.#handle;
    return wasm.nan(handle) + wasm.positiveInfinity(handle) + wasm.negativeInfinity(handle);
  }

  #countAll(): number {
    return this.#wasm.finite(this.#handle) + this.nonFinite;
  }
}

/** Elements of the whole runs that fit into `capacity`; of a longer run, `capacity`. */
function wholeRuns(run: number, capacity: number): number {
  return run > capacity ? capacity : Math.floor(capacity / run) * run;
}

/** Where a piece of at most `length` elements from `start` on ends, so that none lies in two long runs. */
function endOfPiece(start: number, run: number, length: number): number {
  return run > length ? Math.min(start + length, start - start % run + run) : start + length;
}

/** Adds the sums of the elements in INPUT, which begin at `start`. */
function addSums(
  wasm: HistogramExports,
  start: number,
  count: number,
  { run, sums, squares }: RunSums,
): void {
  const length = Math.min(run, count);
  wasm.sumRuns(count, length);
  const first = Math.floor(start / run);
  const found = new Float64Array(wasm.memory.buffer, wasm.SUMS.value, 2 * count / length);
  for (let i = 0; 2 * i < found.length; i++) {
    sums[first + i] += found[2 * i];
    squares[first + i] += found[2 * i + 1];
  }
}

/** The columns in which bins travel, `assembly/rows.ts`. Valid until memory grows. */
interface RowViews {
  /** Most rows at a time. */
  readonly capacity: number;
  /** Writes rows of `data` from index `start` on, and returns how many. */
  write(data: HistogramData, start: number): number;
  /** Reads `count` rows into the arrays of `data`, from index `start` on. */
  read(data: HistogramData, start: number, count: number): void;
}

function rowViews(wasm: HistogramExports): RowViews {
  const buffer = wasm.memory.buffer;
  const capacity = wasm.ROWS.value;
  const columns = {
    bins: new Uint32Array(buffer, wasm.ROW_BIN.value, capacity),
    n: new Float64Array(buffer, wasm.ROW_N.value, capacity),
    r1: new BigUint64Array(buffer, wasm.ROW_R1.value, capacity),
    r2: new BigUint64Array(buffer, wasm.ROW_R2.value, capacity),
  };
  return {
    capacity,
    write(data, start) {
      const end = start + capacity;
      columns.bins.set(data.bins.subarray(start, end));
      columns.n.set(data.n.subarray(start, end));
      columns.r1.set(data.r1.subarray(start, end));
      columns.r2.set(data.r2.subarray(start, end));
      return Math.min(capacity, data.bins.length - start);
    },
    read(data, start, count) {
      data.bins.set(columns.bins.subarray(0, count), start);
      data.n.set(columns.n.subarray(0, count), start);
      data.r1.set(columns.r1.subarray(0, count), start);
      data.r2.set(columns.r2.subarray(0, count), start);
    },
  };
}
