/**
 * Plans near labels: as few and as cheap changes as needed until all rows are kept, then better ones, single changes first
 * and then two at once, until there are none.
 *
 * @module
 */
import { type Model, spanOf, totalOf } from "./model.ts";

/** Pairs of changes that are looked at in one search at most. */
const MAX_PAIRS = 200_000;
/** Changes in one call at most, for each node. */
const CHANGES_A_NODE = 2;

/** Changes labels of one model again and again. */
export class Improver {
  readonly #model: Model;
  /** Pairs of each node. */
  readonly #around: readonly number[][];
  readonly #rows: number;
  /** What one change does to all rows: node, label, and changes at index · rows. */
  readonly #nodes: Int32Array;
  readonly #labels: Int32Array;
  readonly #changes: Float64Array;
  readonly #neighbour: Uint8Array;

  /** Changes will be of this model. */
  constructor(given: Model) {
    // What is forbidden costs more than everything else together, so that labels can leave it.
    const { magnitude } = spanOf(given, given.rows[0]);
    const finite = (costs: Float64Array | undefined) =>
      costs?.map((cost) => cost === Infinity ? 1 + 4 * magnitude : cost);
    const [{ unary, pair }, ...others] = given.rows;
    const model = {
      ...given,
      rows: [{ unary: finite(unary)!, pair: finite(pair) }, ...others],
    };
    this.#model = model;
    const around = Array.from(model.sizes, () => [] as number[]);
    for (const [p, { a, b }] of model.pairs.entries()) {
      around[a].push(p);
      around[b].push(p);
    }
    this.#around = around;
    this.#rows = model.rows.length;
    const options = model.start[model.sizes.length];
    this.#nodes = new Int32Array(options);
    this.#labels = new Int32Array(options);
    this.#changes = new Float64Array(options * this.#rows);
    this.#neighbour = new Uint8Array(model.sizes.length);
  }

  /**
   * Better labels within all rows, undefined if none were found; the labels given stay as they are. What comes back may
   * still be forbidden, if no change led out of that.
   */
  improve(from: Int32Array): Int32Array | undefined {
    const { rows, most, tolerance, sizes } = this.#model;
    const labels = from.slice();
    const left = CHANGES_A_NODE * sizes.length + 10;
    for (let step = 0; step < left; step++) {
      // Totals are summed anew, so that rounding doesn't add up.
      const rest = rows.map((row, r) => most[r] + tolerance[r] - totalOf(this.#model, row, labels));
      const exceeds = rest.some((value, r) => r > 0 && value < 0);
      const moves = this.#measure(labels);
      const chosen = exceeds
        ? this.#repair(moves, rest)
        : this.#best(moves, rest) ?? this.#bestTwo(moves, rest);
      if (!chosen) return exceeds ? undefined : labels;
      for (const move of chosen) labels[this.#nodes[move]] = this.#labels[move];
    }
    const within = rows.every((row, r) =>
      r === 0 || totalOf(this.#model, row, labels) <= most[r] + tolerance[r]
    );
    return within ? labels : undefined;
  }

  /** What every other label of every node changes; how many there are. */
  #measure(labels: Int32Array): number {
    const { sizes, start, pairs, rows } = this.#model;
    let moves = 0;
    for (let i = 0; i < sizes.length; i++) {
      for (let x = 0; x < sizes[i]; x++) {
        if (x === labels[i]) continue;
        this.#nodes[moves] = i;
        this.#labels[moves] = x;
        for (let r = 0; r < rows.length; r++) {
          const { unary, pair } = rows[r];
          let change = unary[start[i] + x] - unary[start[i] + labels[i]];
          if (pair) {
            for (const p of this.#around[i]) {
              const { a, b, start: at } = pairs[p];
              const width = sizes[b];
              change += i === a
                ? pair[at + x * width + labels[b]] - pair[at + labels[i] * width + labels[b]]
                : pair[at + labels[a] * width + x] - pair[at + labels[a] * width + labels[i]];
            }
          }
          this.#changes[moves * rows.length + r] = change;
        }
        moves++;
      }
    }
    return moves;
  }

  /** The change that takes most excess away for what it costs. */
  #repair(moves: number, rest: readonly number[]): number[] | undefined {
    const { tolerance } = this.#model;
    const count = this.#rows;
    const changes = this.#changes;
    let [best, bestGain, bestCost] = [-1, 0, Infinity];
    for (let move = 0; move < moves; move++) {
      let gain = 0;
      for (let r = 1; r < count; r++) {
        const after = rest[r] - changes[move * count + r];
        if (rest[r] < 0 || after < 0) {
          gain += (Math.max(0, -rest[r]) - Math.max(0, -after)) / tolerance[r];
        }
      }
      if (!(gain > 0)) continue;
      const change = changes[move * count];
      const cost = change > 0 ? change / gain : change;
      const better = cost > 0 || bestCost > 0 ? cost < bestCost : gain > bestGain;
      if (better) [best, bestGain, bestCost] = [move, gain, cost];
    }
    return best < 0 ? undefined : [best];
  }

  /** The single change that saves most. */
  #best(moves: number, rest: readonly number[]): number[] | undefined {
    const count = this.#rows;
    let [best, least] = [-1, -this.#model.tolerance[0]];
    for (let move = 0; move < moves; move++) {
      const change = this.#changes[move * count];
      if (change < least && this.#fits(move, -1, rest)) [best, least] = [move, change];
    }
    return best < 0 ? undefined : [best];
  }

  /** Two changes of nodes that don't touch that save most together. */
  #bestTwo(moves: number, rest: readonly number[]): number[] | undefined {
    const count = this.#rows;
    const changes = this.#changes;
    const order = Int32Array.from({ length: moves }, (_, move) => move)
      .sort((a, b) => changes[a * count] - changes[b * count] || a - b);
    let least = -this.#model.tolerance[0];
    let best: number[] | undefined;
    let looked = 0;
    for (let i = 0; i < moves && looked < MAX_PAIRS; i++) {
      const first = order[i];
      const own = changes[first * count];
      if (own >= 0) break;
      const node = this.#nodes[first];
      this.#markAround(node, 1);
      for (let j = i + 1; j < moves; j++) {
        const second = order[j];
        if (own + changes[second * count] >= least) break;
        looked++;
        if (this.#neighbour[this.#nodes[second]] || !this.#fits(first, second, rest)) continue;
        least = own + changes[second * count];
        best = [first, second];
        break;
      }
      this.#markAround(node, 0);
    }
    return best;
  }

  #markAround(node: number, mark: number) {
    this.#neighbour[node] = mark;
    for (const p of this.#around[node]) {
      const { a, b } = this.#model.pairs[p];
      this.#neighbour[a] = this.#neighbour[b] = mark;
    }
  }

  #fits(first: number, second: number, rest: readonly number[]): boolean {
    const count = this.#rows;
    for (let r = 1; r < count; r++) {
      let change = this.#changes[first * count + r];
      if (second >= 0) change += this.#changes[second * count + r];
      if (change > rest[r]) return false;
    }
    return true;
  }
}
