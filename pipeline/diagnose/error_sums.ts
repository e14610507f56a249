/**
 * How far one tensor is from another, summed over batches.
 *
 * @module
 */
import { decibels } from "../../core/portable_math.ts";
import type { TensorError } from "./diagnosis.ts";

/** Sums over elements; memory doesn't grow with their number. */
export class ErrorSums {
  #elements = 0;
  #signal = 0;
  #noise = 0;
  #own = 0;
  #dot = 0;
  #maxAbs = 0;

  /** Elements so far. */
  get elements(): number {
    return this.#elements;
  }

  /**
   * Adds elements. Where both are the same infinity or both NaN, as masks are, there is nothing to compare.
   *
   * @throws {RangeError} when there aren't as many of one as of the other.
   */
  add(float: Float32Array, quantized: Float32Array): void {
    if (float.length !== quantized.length) {
      throw new RangeError(`Cannot compare ${float.length} elements with ${quantized.length}`);
    }
    let [signal, noise, own, dot, maxAbs] = [0, 0, 0, 0, this.#maxAbs];
    for (let i = 0; i < float.length; i++) {
      const [f, q] = [float[i], quantized[i]];
      if (f - f !== 0 && Object.is(f, q)) continue;
      const difference = q - f;
      signal += f * f;
      noise += difference * difference;
      own += q * q;
      dot += f * q;
      if (!(Math.abs(difference) <= maxAbs)) maxAbs = Math.abs(difference);
    }
    this.#elements += float.length;
    this.#signal += signal;
    this.#noise += noise;
    this.#own += own;
    this.#dot += dot;
    this.#maxAbs = maxAbs;
  }

  /** The errors so far. An infinite difference makes `maxAbs` the largest number there is, since JSON has no infinity. */
  result(): TensorError {
    const sqnr = decibels(this.#signal / this.#noise);
    const isZero = this.#signal === 0 || this.#own === 0;
    const cosine = isZero
      ? Number(this.#signal === this.#own)
      : this.#dot / (Math.sqrt(this.#signal) * Math.sqrt(this.#own));
    return {
      sqnr: Number.isFinite(sqnr) ? sqnr : null,
      cosine: Number.isFinite(cosine) ? cosine : 0,
      maxAbs: Number.isFinite(this.#maxAbs) ? this.#maxAbs : Number.MAX_VALUE,
    };
  }
}
