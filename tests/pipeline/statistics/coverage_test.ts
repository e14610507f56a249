import assert from "node:assert/strict";
import fc from "fast-check";
import { mergeCoverage, RangeSet } from "../../../pipeline/statistics/coverage.ts";

Deno.test("RangeSet is the set of the positions that were added, in any order", () => {
  fc.assert(fc.property(fc.array(fc.nat(60)), (positions) => {
    const set = new RangeSet();
    const oracle = new Set<number>();
    for (const position of positions) {
      assert.equal(set.add(position), !oracle.has(position));
      oracle.add(position);
    }
    for (let i = 0; i <= 61; i++) assert.equal(set.has(i), oracle.has(i));
    const ranges = set.ranges();
    const spelled = ranges.flatMap(([a, b]) => Array.from({ length: b - a }, (_, i) => a + i));
    assert.deepEqual(spelled, [...oracle].sort((a, b) => a - b));
    ranges.forEach(([start], i) => assert.ok(i === 0 || start > ranges[i - 1][1], "none touch"));
    assert.deepEqual(RangeSet.from(ranges).ranges(), ranges);
  }));
});

Deno.test("mergeCoverage() of the parts of a set is its coverage, whatever the order", () => {
  fc.assert(fc.property(fc.array(fc.tuple(fc.nat(3), fc.nat(1))), fc.nat(), (marks, seed) => {
    const parts = [0, 1, 2, 3].map((part) => {
      const sets = [new RangeSet(), new RangeSet()];
      marks.forEach(([owner, source], i) => owner === part && sets[source].add(i));
      return sets.map((set, source) => ({ source: `s${source}`, ranges: set.ranges() }));
    });
    const whole = [new RangeSet(), new RangeSet()];
    marks.forEach(([, source], i) => whole[source].add(i));
    const expected = whole.map((set, source) => ({ source: `s${source}`, ranges: set.ranges() }));
    const order = parts.map((part, i) => [(i * 7919 + seed) % 5, part] as const)
      .sort(([a], [b]) => a - b).map(([, part]) => part);
    assert.deepEqual(mergeCoverage(order), expected);
  }));
});

Deno.test("mergeCoverage() refuses a sample in two parts, naming it", () => {
  const part = (
    start: number,
    end: number,
  ) => [{ source: "s", ranges: [[start, end]] as [number, number][] }];
  assert.throws(() => mergeCoverage([part(0, 5), part(4, 6)]), /sample 4 of source s in two/);
});
