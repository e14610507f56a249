/**
 * A heap of branches: the lowest bound first, of equal ones the one that came first.
 *
 * @module
 */

/** Items in the order of their bounds. */
export class BoundHeap<T extends { readonly bound: number }> {
  readonly #items: { item: T; turn: number }[] = [];
  #turn = 0;

  /** Number of items. */
  get size(): number {
    return this.#items.length;
  }

  /** Puts an item in. */
  push(item: T): void {
    const items = this.#items;
    let at = items.push({ item, turn: this.#turn++ }) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (!this.#before(at, above)) return;
      [items[at], items[above]] = [items[above], items[at]];
      at = above;
    }
  }

  /** Takes the first item out; undefined if there is none. */
  pop(): T | undefined {
    const items = this.#items;
    const first = items[0];
    const last = items.pop();
    if (first === undefined || last === undefined) return undefined;
    if (items.length > 0) {
      items[0] = last;
      for (let at = 0;;) {
        let least = at;
        for (const below of [2 * at + 1, 2 * at + 2]) {
          if (below < items.length && this.#before(below, least)) least = below;
        }
        if (least === at) break;
        [items[at], items[least]] = [items[least], items[at]];
        at = least;
      }
    }
    return first.item;
  }

  #before(a: number, b: number): boolean {
    const [x, y] = [this.#items[a], this.#items[b]];
    return x.item.bound < y.item.bound || x.item.bound === y.item.bound && x.turn < y.turn;
  }
}
