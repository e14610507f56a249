/**
 * The best codes of all for few weights, as a kernel of a depthwise convolution has.
 *
 * @module
 */
import type { RoundingPlan, Row } from "./second_order.ts";

/** Most weights; more have too many neighbourhoods. */
export const MOST_WEIGHTS = 25;
/** Partial codes that are looked at before the best so far is taken; hardly a kernel needs as many (measured). */
const MOST_NODES = 4000;

/**
 * Searches the codes with the least
 *
 *     Σ_k D_k·(e_k + Σ_{i<k} e_i·U_ik)²,   e_k = w_k − step·code_k
 *
 * depth first, at each weight the nearest codes first (Schnorr and Euchner 1994, "Lattice basis reduction", section 3), and
 * turns back where the sum so far has reached `least`: the terms are squares, so that it only grows.
 *
 * @param row The weights of one output channel.
 * @param least Error of codes that are known already.
 * @returns Codes in the order of the plan with a smaller error; undefined where none were found.
 */
export function bestCodes(
  { size, order, feedback, pivots }: RoundingPlan,
  { weights, scales, low, high, zeroPoints }: Row,
  least: number,
): { codes: Int16Array; error: number } | undefined {
  const codes = new Int16Array(size);
  const errors = new Float64Array(size);
  let best: { codes: Int16Array; error: number } | undefined;
  let limit = least * (1 - 1e-12);
  let nodes = 0;
  visit(0, 0);
  return best;

  function visit(k: number, sum: number): void {
    if (k === size) {
      best = { codes: codes.slice(), error: sum };
      limit = sum;
      return;
    }
    const place = order[k];
    const [weight, scale] = [weights[place], scales[place]];
    const zero = zeroPoints?.[place] ?? 0;
    let wanted = weight;
    for (let i = 0, at = k * size; i < k; i++) wanted += errors[i] * feedback[at + i];
    const exact = wanted / scale;
    const first = Math.min(Math.max(Math.round(exact), low - zero), high - zero);
    // Outwards from the nearest code, the nearer side first.
    const side = exact >= first ? 1 : -1;
    for (let step = 0, misses = 0; misses < 2; step++) {
      const code = first + (step % 2 === 1 ? side : -side) * Math.ceil(step / 2);
      const next = code < low - zero || code > high - zero
        ? Infinity
        : sum + pivots[k] * (wanted - code * scale) ** 2;
      if (next >= limit) {
        misses++;
        continue;
      }
      misses = 0;
      if (++nodes > MOST_NODES) return;
      codes[k] = code;
      errors[k] = weight - code * scale;
      visit(k + 1, next);
    }
  }
}
