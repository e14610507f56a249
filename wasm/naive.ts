/**
 * The exact histogram in one obvious loop: a map from bin to three bigints. Slow, and the truth in tests.
 *
 * This module is browser compatible.
 *
 * @module
 */
import { binNumber } from "./bins.ts";
import {
  checkHistogramData,
  checkTotal,
  checkValues,
  countAll,
  fullBinError,
  MAX_R2,
  noRoomError,
} from "./checks.ts";
import type { Accumulator, HistogramCore, HistogramData } from "./histogram.ts";
import { type RunSums, sumRuns } from "./run_sums.ts";

interface Bin {
  n: bigint;
  r1: bigint;
  r2: bigint;
}

/** Largest r², rounded up to the power of two that the other implementations reckon with. */
const R2_BOUND = 2n ** 30n;

/**
 * The oracle, with the interface of the others.
 *
 * @example Usage
 * ```ts
 * import { createNaiveHistogramCore } from "./naive.ts";
 * import assert from "node:assert/strict";
 *
 * const accumulator = createNaiveHistogramCore().create();
 * accumulator.observe(new Float32Array([1, -0, NaN]));
 * assert.equal(accumulator.data().finite, 2);
 * assert.equal(accumulator.data().zeros, 1);
 * ```
 */
export function createNaiveHistogramCore(): HistogramCore {
  return { name: "naive", create: () => new NaiveAccumulator() };
}

class NaiveAccumulator implements Accumulator {
  readonly #bins = new Map<number, Bin>();
  #finite = 0;
  #zeros = 0;
  #nan = 0;
  #positiveInfinity = 0;
  #negativeInfinity = 0;
  #min = Infinity;
  #max = -Infinity;

  observe(values: Float32Array, sums?: RunSums): void {
    checkValues(values);
    checkTotal(`observe ${values.length} elements`, this.#countAll(), values.length);
    let largestR2 = 0n;
    for (const { r2 } of this.#bins.values()) if (r2 > largestR2) largestR2 = r2;
    if (largestR2 + BigInt(values.length) * R2_BOUND > MAX_R2) throw noRoomError(values.length);

    if (sums !== undefined) sumRuns(values, sums);
    const bits = new DataView(new ArrayBuffer(4));
    for (const x of values) {
      if (Number.isNaN(x)) this.#nan += 1;
      else if (x === Infinity) this.#positiveInfinity += 1;
      else if (x === -Infinity) this.#negativeInfinity += 1;
      else {
        bits.setFloat32(0, x);
        const r = BigInt(bits.getUint32(0) & 0x7fff);
        this.#addToBin(binNumber(x), 1n, r, r * r);
        this.#finite += 1;
        if (x === 0) this.#zeros += 1;
        this.#include(x);
      }
    }
  }

  add(data: HistogramData): void {
    checkHistogramData(data);
    checkTotal("add histogram data", this.#countAll(), countAll(data));
    data.bins.forEach((bin, i) => {
      const held = this.#bins.get(bin)?.r2 ?? 0n;
      if (held + data.r2[i] > MAX_R2) throw fullBinError(bin);
    });

    data.bins.forEach((bin, i) => {
      this.#addToBin(bin, BigInt(data.n[i]), data.r1[i], data.r2[i]);
    });
    this.#finite += data.finite;
    this.#zeros += data.zeros;
    this.#nan += data.nan;
    this.#positiveInfinity += data.positiveInfinity;
    this.#negativeInfinity += data.negativeInfinity;
    if (data.finite > 0) {
      this.#include(data.min);
      this.#include(data.max);
    }
  }

  data(): HistogramData {
    const bins = [...this.#bins.keys()].sort((a, b) => a - b);
    const rows = bins.map((bin) => this.#bins.get(bin)!);
    return {
      finite: this.#finite,
      zeros: this.#zeros,
      nan: this.#nan,
      positiveInfinity: this.#positiveInfinity,
      negativeInfinity: this.#negativeInfinity,
      min: this.#finite === 0 ? NaN : this.#min,
      max: this.#finite === 0 ? NaN : this.#max,
      bins: Uint32Array.from(bins),
      n: Float64Array.from(rows, ({ n }) => Number(n)),
      r1: BigUint64Array.from(rows, ({ r1 }) => r1),
      r2: BigUint64Array.from(rows, ({ r2 }) => r2),
    };
  }

  get nonFinite(): number {
    return this.#nan + this.#positiveInfinity + this.#negativeInfinity;
  }

  #countAll(): number {
    return this.#finite + this.nonFinite;
  }

  #addToBin(number: number, n: bigint, r1: bigint, r2: bigint): void {
    let bin = this.#bins.get(number);
    if (bin === undefined) this.#bins.set(number, bin = { n: 0n, r1: 0n, r2: 0n });
    bin.n += n;
    bin.r1 += r1;
    bin.r2 += r2;
  }

  #include(x: number): void {
    // Adding 0 turns -0 into 0.
    this.#min = Math.min(this.#min, x + 0);
    this.#max = Math.max(this.#max, x + 0);
  }
}
