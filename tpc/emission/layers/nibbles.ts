/**
 * Rows of four-bit codes.
 *
 * @module
 */

/** Packs rows of codes two a byte, the first in the lower half; each row begins with a byte of its own. */
export function packNibbles(
  rows: number,
  columns: number,
  codeAt: (row: number, column: number) => number,
): Uint8Array {
  const bytes = Math.ceil(columns / 2);
  const packed = new Uint8Array(rows * bytes);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      packed[row * bytes + (column >> 1)] |= codeAt(row, column) << (column % 2 * 4);
    }
  }
  return packed;
}
