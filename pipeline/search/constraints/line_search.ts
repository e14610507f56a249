/**
 * Global search along one variable whose error curve has many small valleys.
 *
 * @module
 */
import { exp2, power } from "../../../core/portable_math.ts";

/** A point of the curve. */
export interface Point {
  readonly x: number;
  readonly error: number;
}

/** Options of {@linkcode searchLine}. */
export interface LineSearchOptions {
  /** Points per octave of the first scan around this x. */
  readonly density: (x: number) => number;
  /** A lower bound of the error for this x and all smaller ones: the scan stops where it passes the best. */
  readonly floor?: (x: number) => number;
  /** Bottoms of valleys that are known beforehand. */
  readonly seeds?: readonly number[];
  /** How far such a valley reaches to either side, as a part of x. */
  readonly seedReach?: number;
}

/** Neighbourhoods that are searched further, the deepest first: more where the curve is as close as it is ragged. */
const VALLEYS = 3;
const RAGGED_VALLEYS = 16;
const RAGGED_DENSITY = 100;
/** Points across each of them: they are as wide as two steps of the scan. */
const FINE_POINTS = 24;
/** Golden-section steps around the best point of each. */
const GOLDEN_STEPS = 14;
/** Golden ratio: part of an interval that is kept. */
const GOLDEN = (Math.sqrt(5) - 1) / 2;

/**
 * Scans `high` down to `low` on a logarithmic grid, scans the deepest valleys again with closer points, and
 * follows the best point of each by golden section. The result is never worse than any point seen.
 *
 * @returns Best point and the first scan, descending.
 */
export function searchLine(
  error: (x: number) => number,
  low: number,
  high: number,
  options: LineSearchOptions,
): { best: Point; scan: readonly Point[] } {
  const ratioAt = (x: number) => exp2(1 / options.density(x));
  const scan: Point[] = [];
  let best: Point = { x: high, error: Infinity };
  const tryAt = (x: number): Point => {
    const point = { x, error: error(x) };
    if (point.error < best.error) best = point;
    return point;
  };
  for (let x = high; x >= low; x /= ratioAt(x)) {
    if (options.floor !== undefined && options.floor(x) > best.error) break;
    scan.push(tryAt(x));
  }
  const isRagged = options.density(best.x) > RAGGED_DENSITY;
  for (const { x } of deepest(valleysOf(scan), isRagged ? RAGGED_VALLEYS : VALLEYS)) {
    const ratio = ratioAt(x);
    const fineRatio = exp2(2 / FINE_POINTS / options.density(x));
    let bottom: Point = { x, error: Infinity };
    for (let i = 0; i <= FINE_POINTS; i++) {
      const point = tryAt(x / ratio * power(fineRatio, i));
      if (point.error < bottom.error) bottom = point;
    }
    goldenSection(tryAt, bottom.x / fineRatio, bottom.x * fineRatio);
  }
  const { seeds = [], seedReach = 0 } = options;
  for (const { x } of deepest(seeds.filter((x) => x >= low).map(tryAt), VALLEYS)) {
    goldenSection(tryAt, x * (1 - seedReach), x * (1 + seedReach));
  }
  return { best, scan };
}

function valleysOf(scan: readonly Point[]): Point[] {
  const at = (i: number) => scan[i]?.error ?? Infinity;
  return scan.filter((point, i) => point.error <= at(i - 1) && point.error <= at(i + 1));
}

function deepest(points: readonly Point[], count: number): Point[] {
  return points.toSorted((a, b) => a.error - b.error).slice(0, count);
}

/** Golden-section search between a and b; every point goes through `tryAt`. */
function goldenSection(tryAt: (x: number) => Point, a: number, b: number): void {
  let left = tryAt(b - GOLDEN * (b - a));
  let right = tryAt(a + GOLDEN * (b - a));
  for (let i = 2; i < GOLDEN_STEPS; i++) {
    if (left.error <= right.error) {
      b = right.x;
      right = left;
      left = tryAt(b - GOLDEN * (b - a));
    } else {
      a = left.x;
      left = right;
      right = tryAt(a + GOLDEN * (b - a));
    }
  }
}
