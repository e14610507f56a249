/**
 * Weights that several layers read: what was made of them for one serves the others, if they want the same codes.
 *
 * @module
 */
import type { LayerWeight } from "./layer_weight.ts";

/** What was made of weights, by the name of the float constant and the grid. */
export class SharedWeights<Made> {
  readonly #made = new Map<string, { readonly edit: LayerWeight; readonly made: Made }[]>();

  /** What was made before of the same weights on the same grid, or what is made now. */
  get(tensor: string, edit: LayerWeight, make: () => Made): Made {
    const others = this.#made.get(tensor) ?? [];
    const found = others.find((other) => isSame(other.edit, edit));
    if (found !== undefined) return found.made;
    const made = make();
    this.#made.set(tensor, [...others, { edit, made }]);
    return made;
  }
}

/** Whether two layers have their weights on the same grid. */
function isSame(a: LayerWeight, b: LayerWeight): boolean {
  return a.axis === b.axis && a.blockSize === b.blockSize && a.storage === b.storage &&
    isSameList(a.scales, b.scales) && isSameList(a.zeroPoints, b.zeroPoints) &&
    isSameList(a.rounded ?? [], b.rounded ?? []);
}

function isSameList(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
