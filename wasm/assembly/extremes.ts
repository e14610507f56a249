import { MAGNITUDE_MASK } from "./bits";

/**
 * Largest and smallest magnitude of each sign, from four integer minima and maxima of the raw bits:
 * one instruction each, in SIMD too, no float comparison, so no rule for NaN.
 *
 * As i32, a float with the sign bit is below every float without; as u32, above. Within a sign the bits
 * are ordered by magnitude. The minima are taken of bits - 1, which sends +0 and -0 to the far
 * end of each order (0xffff_ffff, 0x7fff_ffff), so that they never are the smallest.
 */
@unmanaged
export class Extremes {
  maxSigned: i32;
  maxUnsigned: u32;
  minSigned: i32;
  minUnsigned: u32;

  /** As if nothing had been seen. */
  reset(): void {
    this.maxSigned = i32.MIN_VALUE;
    this.maxUnsigned = 0;
    this.minSigned = i32.MAX_VALUE;
    this.minUnsigned = u32.MAX_VALUE;
  }

  /** Takes one element in, given as its bits. */
  @inline
  include(bits: u32): void {
    this.maxSigned = max(this.maxSigned, <i32> bits);
    this.maxUnsigned = max(this.maxUnsigned, bits);
    this.minSigned = min(this.minSigned, <i32> (bits - 1));
    this.minUnsigned = min(this.minUnsigned, bits - 1);
  }

  merge(other: Extremes): void {
    this.maxSigned = max(this.maxSigned, other.maxSigned);
    this.maxUnsigned = max(this.maxUnsigned, other.maxUnsigned);
    this.minSigned = min(this.minSigned, other.minSigned);
    this.minUnsigned = min(this.minUnsigned, other.minUnsigned);
  }

  /** Largest magnitude without sign bit; 0 when there is none but zero. */
  largestPositive(): u32 {
    return <u32> max(this.maxSigned, 0);
  }

  /** Largest magnitude with sign bit; 0 when there is none but zero. */
  largestNegative(): u32 {
    return <i32> this.maxUnsigned < 0 ? this.maxUnsigned & MAGNITUDE_MASK : 0;
  }

  /** Smallest magnitude above zero without sign bit; 0 when there is none. */
  smallestPositive(): u32 {
    return this.minUnsigned < MAGNITUDE_MASK ? this.minUnsigned + 1 : 0;
  }

  /** Smallest magnitude above zero with sign bit; 0 when there is none. */
  smallestNegative(): u32 {
    return this.minSigned < 0 ? <u32> (this.minSigned + 1) & MAGNITUDE_MASK : 0;
  }
}
