/**
 * Numbers as the page embeds them: six significant digits are more than a screen shows.
 *
 * @module
 */

/** A number to draw. */
export function drawn(value: number): number {
  return Number(value.toPrecision(6));
}

/** A number to draw, if there is one. */
export function drawnOrNull(value: number | null): number | null {
  return value === null ? null : drawn(value);
}
