/**
 * Maximum flow by Dinic's algorithm (Dinitz 1970): shortest augmenting paths, a level graph at a time. Networks of
 * plans have some hundred nodes, for which it is as fast as Boykov & Kolmogorov's (2004) and half as long.
 *
 * @module
 */

/** A network of edges with capacities. */
export class FlowNetwork {
  readonly #first: Int32Array;
  readonly #next: number[] = [];
  readonly #to: number[] = [];
  /** What can still flow; edges come in twos, e and e ^ 1 in opposite directions. */
  readonly #rest: number[] = [];
  #level: Int32Array;

  /** A network of nodes without edges. */
  constructor(nodes: number) {
    this.#first = new Int32Array(nodes).fill(-1);
    this.#level = new Int32Array(nodes);
  }

  /** Lets `capacity` ≥ 0 flow from one node to another, and `back` the other way. */
  add(from: number, to: number, capacity: number, back = 0): void {
    for (const [a, b, rest] of [[from, to, capacity], [to, from, back]]) {
      this.#next.push(this.#first[a]);
      this.#first[a] = this.#to.length;
      this.#to.push(b);
      this.#rest.push(rest);
    }
  }

  /** Sends as much as can flow; returns how much. */
  flow(source: number, sink: number): number {
    let total = 0;
    while (this.#findLevels(source)[sink] >= 0) {
      const current = this.#first.slice();
      for (let sent; (sent = this.#augment(source, sink, current)) > 0;) total += sent;
    }
    return total;
  }

  /** After {@linkcode flow}: 1 for nodes that still reach the sink, which are its side of a minimum cut. */
  reaches(sink: number): Uint8Array {
    const found = new Uint8Array(this.#first.length);
    found[sink] = 1;
    const queue = [sink];
    for (const node of queue) {
      for (let e = this.#first[node]; e >= 0; e = this.#next[e]) {
        const to = this.#to[e];
        if (this.#rest[e ^ 1] <= 0 || found[to]) continue;
        found[to] = 1;
        queue.push(to);
      }
    }
    return found;
  }

  /** Number of edges from the source by edges with rest, −1 for what can't be reached. */
  #findLevels(source: number): Int32Array {
    const level = this.#level.fill(-1);
    level[source] = 0;
    const queue = [source];
    for (const node of queue) {
      for (let e = this.#first[node]; e >= 0; e = this.#next[e]) {
        const to = this.#to[e];
        if (this.#rest[e] <= 0 || level[to] >= 0) continue;
        level[to] = level[node] + 1;
        queue.push(to);
      }
    }
    return level;
  }

  /** Sends along one path of the level graph; 0 if there is none. `current` are edges that aren't spent. */
  #augment(source: number, sink: number, current: Int32Array): number {
    const path: number[] = [];
    let node = source;
    while (node !== sink) {
      const e = current[node];
      if (e < 0) {
        if (path.length === 0) return 0;
        const back = path.pop()!;
        node = this.#to[back ^ 1];
        current[node] = this.#next[current[node]];
      } else if (this.#rest[e] > 0 && this.#level[this.#to[e]] === this.#level[node] + 1) {
        path.push(e);
        node = this.#to[e];
      } else {
        current[node] = this.#next[e];
      }
    }
    let least = Infinity;
    for (const e of path) least = Math.min(least, this.#rest[e]);
    for (const e of path) {
      this.#rest[e] -= least;
      this.#rest[e ^ 1] += least;
    }
    return least;
  }
}
