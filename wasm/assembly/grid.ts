/** A sum of terms from 0 up, unevaluated: high + low, high = fl(high + low). */
@unmanaged
export class Total {
  high: f64;
  low: f64;

  /**
   * Adds a term from 0 up with a relative error of the sum of little over 2u²:
   *
   * 1. high + term = sum + rest, exactly (2Sum; Knuth, TAOCP 2, 4.2.2, theorem B).
   * 2. The one rounding is in tail = fl(low + rest). With |low| ≤ u·high, |rest| ≤ u·sum and high ≤ sum, its error is
   *    at most u·2u·sum.
   * 3. sum + tail = high + low, exactly: |tail| ≤ |sum| (Fast2Sum; Dekker 1971).
   */
  @inline
  add(term: f64): void {
    const sum = this.high + term;
    const added = sum - this.high;
    const rest = (this.high - (sum - added)) + (term - added);
    const tail = this.low + rest;
    this.high = sum + tail;
    this.low = tail - (this.high - sum);
  }
}

/** A grid and its two sums. */
@unmanaged
export class Grid {
  step: f64;
  /** 1 / step. */
  inverse: f64;
  low: f64;
  high: f64;
  squaredHigh: f64;
  squaredLow: f64;
  absoluteHigh: f64;
  absoluteLow: f64;

  /** Σe². */
  @inline
  get squared(): Total {
    return changetype<Total>(changetype<usize>(this) + offsetof<Grid>("squaredHigh"));
  }

  /** Σ|e|. */
  @inline
  get absolute(): Total {
    return changetype<Total>(changetype<usize>(this) + offsetof<Grid>("absoluteHigh"));
  }
}

/** Sums over one chunk. */
@unmanaged
export class ChunkErrors {
  squared: f64;
  absolute: f64;
}
