/** Cuts into shards, and trees of merges. */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  countOf,
  cutRanges,
  FAN_IN,
  type MergeTree,
  mergeTree,
  shardSize,
} from "../../../apps/queue/cut.ts";

/** Ascending ranges with gaps. */
const ranges = fc.array(fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 60 })), {
  minLength: 1,
  maxLength: 6,
}).map((steps) => {
  let at = 0;
  return steps.map(([gap, length]) => {
    const start = at + gap;
    at = start + length;
    return [start, at] as [number, number];
  });
});
const positions = (list: readonly (readonly [number, number])[]) =>
  list.flatMap(([start, end]) => Array.from({ length: end - start }, (_, i) => start + i));

Deno.test("shards have every sample once, in order, in about the same numbers", () => {
  fc.assert(fc.property(
    ranges,
    fc.integer({ min: 1, max: 40 }),
    fc.integer({ min: 1, max: 8 }),
    (given, shards, multiple) => {
      const cut = cutRanges(given, shards, multiple);
      assert.deepEqual(cut.flatMap(positions), positions(given));
      const sizes = cut.map(countOf);
      assert.ok(cut.length <= shards && sizes.every((size) => size > 0));
      assert.ok(sizes.slice(0, -1).every((size) => size % multiple === 0), `${sizes}`);
      const whole = sizes.slice(0, -1);
      if (whole.length > 0) assert.ok(Math.max(...whole) - Math.min(...whole) <= multiple);
    },
  ));
});

Deno.test("nobody merges more than 16, and every shard is merged once", () => {
  const leaves = (tree: MergeTree): number[] =>
    typeof tree === "number" ? [tree] : tree.flatMap(leaves);
  const widths = (tree: MergeTree): number[] =>
    typeof tree === "number" ? [] : [tree.length, ...tree.flatMap(widths)];
  for (const count of [1, 2, 3, 16, 17, 255, 256, 257, 1000, 4097]) {
    const tree = mergeTree(count);
    assert.deepEqual(leaves(tree), Array.from({ length: count }, (_, i) => i));
    assert.ok(widths(tree).every((width) => width >= 2 && width <= FAN_IN), `${count}`);
  }
  assert.equal(mergeTree(1), 0);
});

Deno.test("a shard takes about a minute, less where there would be few", () => {
  assert.equal(shardSize(1_000_000, 50), 3000);
  assert.equal(shardSize(10_000, 100), 625);
  assert.equal(shardSize(1000, 100), 200);
  assert.equal(shardSize(5, 0.001), 1);
});
