/** Which points of a front become models. */
import assert from "node:assert/strict";
import { spread } from "../../../pipeline/plan/front_points.ts";

const front = (losses: readonly (number | null)[], sizes = losses.map((_, i) => 100 + i)) =>
  losses.map((loss, i) => ({ loss, latency: null, size: 0, bits: sizes[i] }));

Deno.test("few points are all taken", () => {
  assert.deepEqual(spread(front([3, 2, 1]), "bits", 3), [0, 1, 2]);
  assert.deepEqual(spread([], "bits", 3), []);
});

Deno.test("points divide the way in decibels and bits evenly, both ends among them", () => {
  // 20 dB in steps of 1, bits to match: a straight line.
  const straight = front(Array.from({ length: 21 }, (_, i) => 10 ** (-i / 10)));
  assert.deepEqual(spread(straight, "bits", 5), [0, 5, 10, 15, 20]);
  // Most plans crowd at one end; a half of the way is a half all the same.
  const crowded = front(
    [1, 0.99, 0.98, 0.97, 0.96, 0.95, 0.1, 0.01],
    [0, 0.1, 0.2, 0.3, 0.4, 0.5, 50, 100],
  );
  assert.deepEqual(spread(crowded, "bits", 3), [0, 6, 7]);
});

Deno.test("what loses nothing, or everything, has a place on the way, too", () => {
  const chosen = spread(front([null, 0.1, 0.05, 0.01, 0]), "bits", 3);
  assert.equal(chosen.length, 3);
  assert.deepEqual([chosen[0], chosen.at(-1)], [0, 4]);
  // Nothing but bits differ.
  assert.deepEqual(spread(front([0, 0, 0]), "bits", 2), [0, 2]);
});
