/**
 * Plans near labels: as few and as cheap changes as needed until all rows are kept, then better ones until
 * there are none.
 *
 * @module
 */
import { type Model, spanOf, totalOf } from "./model.ts";

/** Steps of one call at most: for each node, and more. */
const [STEPS_A_NODE, MORE_STEPS] = [2, 10];

/** Changes labels of one model again and again. */
export class Improver {
  readonly #model: Model;
  readonly #least: number;
  /** Node of each option. */
  readonly #nodes: Int32Array;
  /** Pairs of each node. */
  readonly #around: readonly number[][];
  /** What each option would change of row r, at option · rows + r; 0 of options that are chosen. */
  readonly #changes: Float64Array;
  /** What may still be added to each row; [0] is unused. */
  readonly #rest: Float64Array;

  /** Changes will be of this model. */
  constructor(given: Model) {
    // What is forbidden costs more than everything else together, so that labels can leave it.
    const { magnitude } = spanOf(given, given.rows[0]);
    const finite = (costs: Float64Array | undefined) =>
      costs?.map((cost) => cost === Infinity ? 1 + 4 * magnitude : cost);
    const [{ unary, pair }, ...others] = given.rows;
    const model = { ...given, rows: [{ unary: finite(unary)!, pair: finite(pair) }, ...others] };
    const { sizes, start, pairs, rows } = model;
    const options = start[sizes.length];
    this.#model = model;
    this.#least = -model.tolerance[0];
    this.#nodes = new Int32Array(options);
    const around = Array.from(sizes, (_, i) => {
      this.#nodes.fill(i, start[i], start[i + 1]);
      return [] as number[];
    });
    for (const [p, { a, b }] of pairs.entries()) {
      around[a].push(p);
      around[b].push(p);
    }
    this.#around = around;
    this.#changes = new Float64Array(options * rows.length);
    this.#rest = new Float64Array(rows.length);
  }

  /**
   * Better labels within all rows, undefined if none were found; the labels given stay as they are. What comes back may
   * still be forbidden, if no change led out of that.
   */
  improve(from: Int32Array): Int32Array | undefined {
    const model = this.#model;
    const { sizes, start, rows, most, tolerance } = model;
    const labels = from.slice();
    const rest = this.#rest;
    for (let r = 1; r < rows.length; r++) {
      rest[r] = most[r] + tolerance[r] - totalOf(model, rows[r], labels);
    }
    for (let i = 0; i < sizes.length; i++) this.#measure(i, labels);
    const steps = STEPS_A_NODE * sizes.length + MORE_STEPS;
    for (let step = 0; step < steps; step++) {
      const exceeds = this.#exceeds();
      const option = exceeds ? this.#repair() : this.#best();
      if (option === undefined) return exceeds ? undefined : labels;
      for (let r = 1; r < rows.length; r++) rest[r] -= this.#changes[option * rows.length + r];
      const node = this.#nodes[option];
      labels[node] = option - start[node];
      this.#measure(node, labels);
      for (const p of this.#around[node]) {
        const { a, b } = model.pairs[p];
        this.#measure(a === node ? b : a, labels);
      }
    }
    return this.#exceeds() ? undefined : labels;
  }

  #exceeds(): boolean {
    for (let r = 1; r < this.#rest.length; r++) if (this.#rest[r] < 0) return true;
    return false;
  }

  /** What the options of a node would change. */
  #measure(node: number, labels: Int32Array): void {
    const { sizes, start, pairs, rows } = this.#model;
    const count = rows.length;
    const now = labels[node];
    for (let r = 0; r < count; r++) {
      const { unary, pair } = rows[r];
      for (let x = 0; x < sizes[node]; x++) {
        const option = start[node] + x;
        let change = unary[option] - unary[start[node] + now];
        if (pair) {
          for (const p of this.#around[node]) {
            const { a, b, start: at } = pairs[p];
            const width = sizes[b];
            change += node === a
              ? pair[at + x * width + labels[b]] - pair[at + now * width + labels[b]]
              : pair[at + labels[a] * width + x] - pair[at + labels[a] * width + now];
          }
        }
        this.#changes[option * count + r] = change;
      }
    }
  }

  /** The change that takes most excess away for what it costs. */
  #repair(): number | undefined {
    const { tolerance, rows } = this.#model;
    const [rest, changes, count] = [this.#rest, this.#changes, rows.length];
    let [best, bestGain, bestCost] = [-1, 0, Infinity];
    for (let option = 0; option < this.#nodes.length; option++) {
      let gain = 0;
      for (let r = 1; r < count; r++) {
        const after = rest[r] - changes[option * count + r];
        if (rest[r] < 0 || after < 0) {
          gain += (Math.min(0, after) - Math.min(0, rest[r])) / tolerance[r];
        }
      }
      if (!(gain > 0)) continue;
      const change = changes[option * count];
      const cost = change > 0 ? change / gain : change;
      const better = cost > 0 || bestCost > 0 ? cost < bestCost : gain > bestGain;
      if (better) [best, bestGain, bestCost] = [option, gain, cost];
    }
    return best < 0 ? undefined : best;
  }

  /** The single change that saves most. */
  #best(): number | undefined {
    const count = this.#model.rows.length;
    let [best, least] = [-1, this.#least];
    for (let option = 0; option < this.#nodes.length; option++) {
      const change = this.#changes[option * count];
      if (change < least && this.#fits(option)) [best, least] = [option, change];
    }
    return best < 0 ? undefined : best;
  }

  /** Whether no row exceeds what it may be after a change. */
  #fits(option: number): boolean {
    const count = this.#model.rows.length;
    for (let r = 1; r < count; r++) {
      if (this.#changes[option * count + r] > this.#rest[r]) return false;
    }
    return true;
  }
}
