/**
 * The master problem of Lagrangian relaxation: which multipliers are best according to the labels seen so far.
 *
 * Labels k cost f_k and exceed row r by g_kr. The dual function is at most θ(λ) = min_k f_k + Σ_r λ_r·g_kr (Geoffrion 1974,
 * "Lagrangean relaxation for integer programming"), and max θ over 0 ≤ λ ≤ limit is a linear program (Kelley 1960, "The
 * cutting-plane method"). Solved is its dual, a mixture of labels that keeps rows on average (Dantzig & Wolfe 1960): min
 * Σ α_k·f_k + Σ limit_r·s_r with Σ α_k = 1, Σ α_k·g_kr ≤ s_r, by the revised simplex method with 1 + rows equations.
 *
 * @module
 */

/** Labels as the master problem sees them. */
export interface Column {
  /** Their objective. */
  readonly value: number;
  /** By how much they exceed each row; [0] is 1. */
  readonly excess: Float64Array;
}

/** A share of a mixture counts as none below. */
const NONE = 1e-9;
/** Pivots in one solution before only Bland's rule, which can't cycle, chooses. */
const FREE_PIVOTS = 200;
/** Pivots in one solution at most: rounding could make even Bland's rule cycle. */
const MAX_PIVOTS = 1000;

/** The linear program with its current basis; columns are added one by one. */
export class Master<C extends Column> {
  readonly #rows: number;
  readonly #columns: C[] = [];
  /** Highest multipliers by row: what it costs to exceed it. */
  readonly limits: Float64Array;
  /** Columns in the basis: k ≥ 0 labels, −r excess of row r, −rows − r slack of row r. */
  readonly #basis: Int32Array;
  /** Inverse of the basis, row by row. */
  readonly #inverse: Float64Array;
  /** Share or amount of each column in the basis. */
  readonly #amounts: Float64Array;

  /** Starts with one column. Limits are of rows 1 and on; [0] is unused. */
  constructor(first: C, limits: Float64Array) {
    const rows = this.#rows = first.excess.length;
    this.limits = limits;
    this.#columns.push(first);
    this.#basis = new Int32Array(rows);
    this.#inverse = new Float64Array(rows * rows);
    this.#amounts = new Float64Array(rows);
    this.#amounts[0] = this.#inverse[0] = 1;
    for (let r = 1; r < rows; r++) {
      const excess = first.excess[r];
      const sign = excess > 0 ? -1 : 1;
      this.#basis[r] = excess > 0 ? -r : -rows - r;
      this.#inverse[r * rows] = -sign * excess;
      this.#inverse[r * rows + r] = sign;
      this.#amounts[r] = Math.abs(excess);
    }
  }

  /** Another column to choose from. */
  add(column: C): void {
    this.#columns.push(column);
  }

  /** The best multipliers by what is known; θ is at [0]. */
  solve(): Float64Array {
    let duals = this.#duals();
    for (let pivot = 0; pivot < MAX_PIVOTS; pivot++) {
      const entering = this.#enter(duals, pivot >= FREE_PIVOTS);
      if (entering === undefined || !this.#pivot(entering)) break;
      duals = this.#duals();
    }
    const multipliers = duals.map((dual, r) => r === 0 ? dual : Math.max(0, -dual));
    for (let r = 1; r < this.#rows; r++) {
      multipliers[r] = Math.min(multipliers[r], this.limits[r]);
    }
    return multipliers;
  }

  /** The labels that the best mixture is made of, with their shares. */
  mixture(): { column: C; share: number }[] {
    const found = [];
    for (let at = 0; at < this.#rows; at++) {
      const share = this.#amounts[at];
      if (this.#basis[at] >= 0 && share > NONE) {
        found.push({ column: this.#columns[this.#basis[at]], share });
      }
    }
    return found;
  }

  /** Rows that the best mixture exceeds, since its multiplier is at the limit. */
  exceeded(): number[] {
    const found = [];
    for (let at = 0; at < this.#rows; at++) {
      const name = this.#basis[at];
      if (name < 0 && name > -this.#rows && this.#amounts[at] > 0) found.push(-name);
    }
    return found;
  }

  #cost(name: number): number {
    return name >= 0 ? this.#columns[name].value : name > -this.#rows ? this.limits[-name] : 0;
  }

  #duals(): Float64Array {
    const rows = this.#rows;
    const duals = new Float64Array(rows);
    for (let at = 0; at < rows; at++) {
      const cost = this.#cost(this.#basis[at]);
      if (cost === 0) continue;
      for (let r = 0; r < rows; r++) duals[r] += cost * this.#inverse[at * rows + r];
    }
    return duals;
  }

  /** The column that lowers the costs most, or the first that does; undefined at the optimum. */
  #enter(duals: Float64Array, first: boolean): number | undefined {
    const rows = this.#rows;
    let [best, least]: [number | undefined, number] = [undefined, 0];
    const look = (name: number, reduced: number, magnitude: number) => {
      if (reduced >= -1e-12 * magnitude || reduced >= least && best !== undefined) return;
      if (first && best !== undefined) return;
      [best, least] = [name, reduced];
    };
    for (let k = 0; k < this.#columns.length; k++) {
      const { value, excess } = this.#columns[k];
      let [reduced, magnitude] = [value, Math.abs(value)];
      for (let r = 0; r < rows; r++) {
        reduced -= duals[r] * excess[r];
        magnitude += Math.abs(duals[r] * excess[r]);
      }
      look(k, reduced, magnitude);
    }
    for (let r = 1; r < rows; r++) {
      look(-r, this.limits[r] + duals[r], this.limits[r]);
      look(-rows - r, -duals[r], this.limits[r]);
    }
    return best;
  }

  /** Takes a column into the basis for the one that reaches 0 first; false if rounding leaves none. */
  #pivot(entering: number): boolean {
    const rows = this.#rows;
    const [inverse, amounts] = [this.#inverse, this.#amounts];
    const change = new Float64Array(rows);
    for (let at = 0; at < rows; at++) {
      if (entering >= 0) {
        const { excess } = this.#columns[entering];
        for (let r = 0; r < rows; r++) change[at] += inverse[at * rows + r] * excess[r];
      } else if (entering > -rows) change[at] = -inverse[at * rows - entering];
      else change[at] = inverse[at * rows - rows - entering];
    }
    let [leaving, ratio] = [-1, Infinity];
    for (let at = 0; at < rows; at++) {
      if (change[at] <= 1e-12) continue;
      const own = amounts[at] / change[at];
      if (own < ratio || own === ratio && this.#basis[at] < this.#basis[leaving]) {
        [leaving, ratio] = [at, own];
      }
    }
    if (leaving < 0) return false;
    const divisor = change[leaving];
    for (let r = 0; r < rows; r++) inverse[leaving * rows + r] /= divisor;
    for (let at = 0; at < rows; at++) {
      if (at === leaving || change[at] === 0) continue;
      for (let r = 0; r < rows; r++) {
        inverse[at * rows + r] -= change[at] * inverse[leaving * rows + r];
      }
      amounts[at] = Math.max(0, amounts[at] - ratio * change[at]);
    }
    amounts[leaving] = ratio;
    this.#basis[leaving] = entering;
    return true;
  }
}
