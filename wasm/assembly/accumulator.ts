import { BINS_PER_OCTAVE, MANTISSA_BITS, NEGATIVE_ZERO_BIN, OCTAVES, POSITIVE_ZERO_BIN, R_BITS } from "./bits";
import { Extremes } from "./extremes";
import { allocate, reserve } from "./memory";

/** Bytes of a wide bin: n, Σr, Σr², each a u64. */
const WIDE_BIN_BYTES: usize = 24;
const WIDE_PAGE_BYTES: usize = BINS_PER_OCTAVE * WIDE_BIN_BYTES;

/** Room for every page that a call can still need: two exponents hold no finite number. */
const ALL_PAGES_BYTES: usize = (OCTAVES - 2) * WIDE_PAGE_BYTES;

/**
 * The statistics of one tensor. Behind the fields lie the extremes and 512 page pointers, one for each
 * octave (sign × exponent); a page is 256 wide bins and exists once an element fell in its octave.
 *
 *   accumulator ─► [ fields | extremes | page 0 | page 1 | … | page 511 ]
 *                                           │
 *                                           └─► [ n, Σr, Σr² | n, Σr, Σr² | … 256 bins ]   6 KiB
 */
@unmanaged
export class Accumulator {
  finite: u64;
  nan: u64;
  positiveInfinity: u64;
  negativeInfinity: u64;
  /** Elements that lie in the bins of +0 and -0 and are not zero. */
  tiny: u64;
  /** Largest Σr² of all bins. */
  largestR2: u64;

  /** Of the finite elements. */
  @inline
  get extremes(): Extremes {
    return changetype<Extremes>(changetype<usize>(this) + EXTREMES_OFFSET);
  }

  /** Address of the octave's page; 0 when it does not exist. */
  @inline
  page(octave: u32): usize {
    return load<u32>(this.pageSlot(octave));
  }

  /** Address of the octave's page, made if need be. */
  @inline
  touchPage(octave: u32): usize {
    const page = this.page(octave);
    return page != 0 ? page : this.makePage(octave);
  }

  /** n of one bin. */
  count(bin: u32): u64 {
    const page = this.page(bin >>> (MANTISSA_BITS - R_BITS));
    return page == 0 ? 0 : load<u64>(wideBin(page, bin & (BINS_PER_OCTAVE - 1)));
  }

  zeros(): u64 {
    return this.count(POSITIVE_ZERO_BIN) + this.count(NEGATIVE_ZERO_BIN) - this.tiny;
  }

  @inline
  private pageSlot(octave: u32): usize {
    return changetype<usize>(this) + PAGES_OFFSET + ((<usize> octave) << 2);
  }

  private makePage(octave: u32): usize {
    const page = allocate(WIDE_PAGE_BYTES);
    store<u32>(this.pageSlot(octave), <u32> page);
    return page;
  }
}

@inline
const EXTREMES_OFFSET: usize = offsetof<Accumulator>();
@inline
const PAGES_OFFSET: usize = EXTREMES_OFFSET + offsetof<Extremes>();

/** A new accumulator that has seen nothing; null when there is no memory. */
export function createAccumulator(): Accumulator | null {
  const bytes = PAGES_OFFSET + OCTAVES * 4;
  if (!reserve(bytes)) return null;
  const accumulator = changetype<Accumulator>(allocate(bytes));
  accumulator.extremes.reset();
  return accumulator;
}

/** Makes sure that no page will be missing later on; false when there is no memory. */
export function reservePages(): bool {
  return reserve(ALL_PAGES_BYTES);
}

/** Address of bin `index`, 0 to 255, in a page. */
@inline
export function wideBin(page: usize, index: u32): usize {
  return page + <usize> index * WIDE_BIN_BYTES;
}

/** Adds n elements with Σr and Σr² to a wide bin. */
@inline
export function addToWideBin(accumulator: Accumulator, at: usize, n: u64, r1: u64, r2: u64): void {
  store<u64>(at, load<u64>(at) + n);
  store<u64>(at, load<u64>(at, 8) + r1, 8);
  const sum = load<u64>(at, 16) + r2;
  store<u64>(at, sum, 16);
  if (sum > accumulator.largestR2) accumulator.largestR2 = sum;
}
