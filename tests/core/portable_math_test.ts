/** Portable logarithms and powers against big-number references, and against themselves in other engines. */
import assert from "node:assert/strict";
import { decibels, exp, exp2, ln, log2, power } from "../../core/portable_math.ts";
import { findChromium, withChromium } from "../support/chromium.ts";
import { uniform } from "../support/random.ts";

/** Fixed-point numbers with so many binary digits behind the point. */
const DIGITS = 300n;
const ONE = 1n << DIGITS;

/** A double as fixed point: exact above 2^−300. */
function fixed(x: number): bigint {
  const bits = new BigUint64Array(Float64Array.of(x).buffer)[0];
  const raw = Number(bits >> 52n) & 0x7ff;
  const fraction = bits & 0xfffffffffffffn | (raw === 0 ? 0n : 1n << 52n);
  const shift = BigInt(Math.max(raw, 1) - 1075) + DIGITS;
  const size = shift >= 0n ? fraction << shift : fraction >> -shift;
  return x < 0 ? -size : size;
}

/** e^x for small fixed-point x, by its series after 32 halvings. */
function bigExp(x: bigint): bigint {
  const small = x >> 32n;
  let [sum, term] = [ONE, ONE];
  for (let k = 1n; k < 40n; k++) sum += term = (term * small >> DIGITS) / k;
  for (let i = 0; i < 32; i++) sum = sum * sum >> DIGITS;
  return sum;
}

/** ln x by Newton's method on e^y = x. */
function bigLn(x: number): bigint {
  const target = fixed(x);
  let y = fixed(Math.log(x));
  for (let i = 0; i < 4; i++) {
    const e = bigExp(y);
    y += 2n * ((target - e) * ONE / (target + e));
  }
  return y;
}

/** How many ulp of `found` it is from the true value. */
function distance(found: number, truth: bigint): number {
  const bits = new BigUint64Array(Float64Array.of(Math.abs(found)).buffer);
  bits[0]++;
  const ulp = new Float64Array(bits.buffer)[0] - Math.abs(found);
  const difference = fixed(found) - truth;
  const size = difference < 0n ? -difference : difference;
  return Number(size * 1000n / fixed(ulp)) / 1000;
}

Deno.test("logarithms and powers are within 2 ulp of the true value", () => {
  const next = uniform(7);
  for (let i = 0; i < 400; i++) {
    const x = 2 ** (60 * next() - 30) * (i % 3 === 0 ? 1 : 1 + next());
    const near = 1 + (next() - 0.5) * 2 ** -(i % 40);
    for (const value of [x, near]) {
      const truth = bigLn(value);
      assert.ok(distance(ln(value), truth) <= 2, `ln ${value}`);
      const base2 = truth * ONE / bigLn(2);
      assert.ok(Math.abs(value - 1) < 1e-3 || distance(log2(value), base2) <= 2, `log2 ${value}`);
      const db = 10n * (truth * ONE / bigLn(10));
      assert.ok(distance(decibels(value), db) <= 4, `decibels ${value}`);
    }
    const y = 40 * next() - 20;
    assert.ok(distance(exp(y), bigExp(fixed(y))) <= 2, `exp ${y}`);
    assert.ok(distance(exp2(y), bigExp(fixed(y) * bigLn(2) >> DIGITS)) <= 2, `exp2 ${y}`);
    const p = [1, 1.5, 2, 2.5, 3, 4 * next() + 1][i % 6];
    const truth = bigExp(fixed(p) * bigLn(x) >> DIGITS);
    assert.ok(distance(power(x, p), truth) <= 8, `${x} ** ${p}`);
  }
});

Deno.test("edges: zero, one, infinity, NaN, subnormal, exact powers of two", () => {
  assert.deepEqual([0, 1, Infinity, -1, NaN].map(ln), [-Infinity, 0, Infinity, NaN, NaN]);
  assert.deepEqual([0, 1, 8, 2 ** -1074, 2 ** 1023].map(log2), [-Infinity, 0, 3, -1074, 1023]);
  assert.deepEqual([-Infinity, 0, Infinity, NaN].map(exp), [0, 1, Infinity, NaN]);
  assert.deepEqual([-1074, -3, 0, 10, 1023].map(exp2), [2 ** -1074, 0.125, 1, 1024, 2 ** 1023]);
  assert.deepEqual([power(0, 1.5), power(0, 0), power(7, 0), power(2, 0.5) ** 2 - 2 < 1e-15], [
    0,
    1,
    1,
    true,
  ]);
  assert.ok(Math.abs(ln(5e-324) + 744.4400719213812) < 1e-12);
});

/** Bits of many results, as one string; the same source runs in every engine. */
const FINGERPRINT = `
  let [state, hash] = [12345, 0];
  const next = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 4294967296;
  const float = new Float64Array(1);
  const words = new Uint32Array(float.buffer);
  const add = (x) => {
    float[0] = x;
    hash = (Math.imul(hash, 31) + words[0] ^ words[1]) >>> 0;
  };
  for (let i = 0; i < 20000; i++) {
    const x = next() * 1000 + 1e-9;
    [ln(x), log2(x), decibels(x), exp(-x / 10), exp2(x / 100 - 5), power(x, 1.7), power(x, 2.5)].forEach(add);
  }
  for (let i = -1074; i < 1024; i++) add(2 ** i);
  return hash.toString(16);
`;

async function script(): Promise<string> {
  // The module without its types, as Deno runs it.
  const url = new URL("../../core/portable_math.ts", import.meta.url);
  const { success, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["bundle", "--quiet", url.pathname],
  }).output();
  assert.ok(success);
  const code = new TextDecoder().decode(stdout).replace(/export\s*\{[^}]*\};?/, "");
  return `(() => { ${code}; return (() => { ${FINGERPRINT} })(); })()`;
}

Deno.test("Deno, Node and Chromium give the same bits", async () => {
  const source = await script();
  const found = new Map<string, string>([["deno", (0, eval)(source)]]);
  const { success, stdout } = await new Deno.Command("node", {
    args: ["-p", source],
  }).output();
  assert.ok(success);
  found.set("node", new TextDecoder().decode(stdout).trim());
  if (findChromium() !== undefined) {
    await withChromium(async ({ page }) => {
      found.set("chromium", String(await page.evaluate(source)));
    });
  }
  assert.equal(new Set(found.values()).size, 1, JSON.stringify([...found]));
});
