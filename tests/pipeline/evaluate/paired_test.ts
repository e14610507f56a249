/** Statistics of paired hits against counting, closed forms and a numerical search. */
import assert from "node:assert/strict";
import { HitList } from "../../../pipeline/evaluate/hit_list.ts";
import {
  differenceInterval,
  mcNemar,
  pairedDifference,
  scoreStatistic,
} from "../../../pipeline/evaluate/paired.ts";
import { uniform } from "../../support/random.ts";

/** C(m, k) as an integer. */
function choose(m: number, k: number): bigint {
  let result = 1n;
  for (let i = 0n; i < BigInt(k); i++) result = result * (BigInt(m) - i) / (i + 1n);
  return result;
}

/** Part of all 2^m ways for m coins to fall that are at least as lopsided. */
function pByCounting(gained: number, lost: number): number {
  const m = gained + lost;
  let ways = 0n;
  for (let k = 0; k <= m; k++) {
    if (Math.abs(2 * k - m) >= Math.abs(gained - lost)) ways += choose(m, k);
  }
  return Number(ways * 10n ** 18n / 2n ** BigInt(m)) / 1e18;
}

Deno.test("mcNemar() is the part of coin throws that are at least as lopsided", () => {
  for (let gained = 0; gained <= 40; gained++) {
    for (let lost = 0; lost <= 40; lost += 3) {
      const p = mcNemar(gained, lost);
      assert.ok(Math.abs(p - pByCounting(gained, lost)) < 1e-12, `${gained}, ${lost}: ${p}`);
    }
  }
  assert.equal(mcNemar(0, 0), 1);
  assert.ok(Math.abs(mcNemar(10, 2) - 158 / 4096) < 1e-15);
});

Deno.test("mcNemar() holds where powers of two leave float64", () => {
  assert.equal(mcNemar(20000, 20000), 1);
  const p = mcNemar(1100, 900);
  assert.ok(Math.abs(p - pByCounting(1100, 900)) < 1e-12 * p + 1e-15, `${p}`);
});

/** The score statistic with the likeliest q found by trying, not by the formula. */
function scoreBySearch(n: number, gained: number, lost: number, delta: number): number {
  const likelihood = (q: number) =>
    (gained && gained * Math.log(q + delta)) + (lost && lost * Math.log(q)) +
    (n - gained - lost && (n - gained - lost) * Math.log(1 - 2 * q - delta));
  let [low, high] = [Math.max(0, -delta), (1 - delta) / 2];
  for (let i = 0; i < 200; i++) {
    const [a, b] = [low + (high - low) / 3, high - (high - low) / 3];
    if (likelihood(a) < likelihood(b)) low = a;
    else high = b;
  }
  const q = (low + high) / 2;
  return (gained - lost - n * delta) / Math.sqrt(n * (2 * q + delta * (1 - delta)));
}

Deno.test("differenceInterval() ends where the likeliest explanation is 1.96 deviations away", () => {
  for (
    const [total, gained, lost] of [
      ...[[44, 1, 0], [250, 6, 9], [250, 12, 1], [2000, 3, 10], [1600, 86, 150], [50, 0, 20]],
      ...[[50, 20, 0], [10, 5, 5], [10, 3, 7]],
    ]
  ) {
    const [low, high] = differenceInterval({ total, gained, lost });
    const difference = (gained - lost) / total;
    assert.ok(low < difference && difference < high);
    for (const [bound, z] of [[low, 1.959964], [high, -1.959964]]) {
      const found = scoreBySearch(total, gained, lost, bound);
      assert.ok(Math.abs(found - z) < 1e-4, `${total} ${gained} ${lost}: ${found} at ${bound}`);
    }
  }
});

Deno.test("scoreStatistic() falls as the difference grows, so that an interval is one", () => {
  for (const [total, gained, lost] of [[250, 0, 0], [250, 12, 1], [20, 0, 15], [20, 10, 10]]) {
    let before = Infinity;
    for (let delta = -0.99; delta < 1; delta += 0.01) {
      const z = scoreStatistic({ total, gained, lost }, delta);
      assert.ok(z <= before, `${total} ${gained} ${lost} at ${delta}`);
      before = z;
    }
  }
});

Deno.test("equal hits on n samples leave ± z²/(n + z²)", () => {
  const z2 = 1.959963984540054 ** 2;
  for (const total of [1, 250, 2000]) {
    const [low, high] = differenceInterval({ total, gained: 0, lost: 0 });
    assert.ok(Math.abs(high - z2 / (total + z2)) < 1e-12);
    assert.ok(Math.abs(low + high) < 1e-12);
  }
});

Deno.test("the interval holds the truth about 95 times in 100", () => {
  const random = uniform(8);
  const [n, gain, loss, runs] = [250, 0.03, 0.06, 4000];
  let inside = 0;
  for (let run = 0; run < runs; run++) {
    let [gained, lost] = [0, 0];
    for (let i = 0; i < n; i++) {
      const u = random();
      if (u < gain) gained++;
      else if (u < gain + loss) lost++;
    }
    const [low, high] = differenceInterval({ total: n, gained, lost });
    if (low <= gain - loss && gain - loss <= high) inside++;
  }
  assert.ok(Math.abs(inside / runs - 0.95) < 0.012, `${inside / runs}`);
});

Deno.test("pairedDifference() has signs, and calls distinct what is", () => {
  const worse = pairedDifference({ total: 2000, gained: 2, lost: 16 });
  assert.equal(worse.difference, -0.007);
  assert.ok(worse.isDistinct && worse.interval[1] < 0);
  const [low, high] = pairedDifference({ total: 2000, gained: 16, lost: 2 }).interval;
  assert.ok(Math.abs(low + worse.interval[1]) < 1e-12);
  assert.ok(Math.abs(high + worse.interval[0]) < 1e-12);
  assert.equal(pairedDifference({ total: 2000, gained: 5, lost: 9 }).isDistinct, false);
});

Deno.test("HitList.compare() counts gains and losses, as counting one by one does", () => {
  const random = uniform(3);
  for (const length of [0, 1, 7, 8, 9, 511, 512, 513, 5000]) {
    const [a, b] = [new HitList(), new HitList()];
    let [gained, lost] = [0, 0];
    for (let i = 0; i < length; i++) {
      const [first, second] = [random() < 0.8, random() < 0.7];
      a.push(first);
      b.push(second);
      if (second && !first) gained++;
      if (first && !second) lost++;
    }
    assert.deepEqual(a.compare(b), { total: length, gained, lost });
  }
  const longer = new HitList();
  longer.push(true);
  assert.throws(() => longer.compare(new HitList()), RangeError);
});
