/** float16, against every number that it has and the ones in the middle between two. */
import assert from "node:assert/strict";
import { fromHalf, makeHalfTensor, MAX_HALF, toHalf } from "../../onnx/file/half.ts";

Deno.test("toHalf() gives each float16 back, and rounds what lies between to the nearest, ties to even", () => {
  for (let bits = 0; bits < 0x7c00; bits++) {
    const x = fromHalf(bits);
    assert.equal(toHalf(x), bits);
    assert.equal(toHalf(-x), bits | 0x8000);
    const next = bits + 1 === 0x7c00 ? 65536 : fromHalf(bits + 1);
    const middle = (x + next) / 2;
    assert.equal(toHalf(middle), bits % 2 === 0 ? bits : bits + 1, `${middle}`);
    // Float32 neighbours of the middle.
    const step = 2 ** -11 * (next - x);
    assert.equal(toHalf(Math.fround(middle - step)), bits, `below ${middle}`);
    assert.equal(toHalf(Math.fround(middle + step)), bits + 1, `above ${middle}`);
  }
});

Deno.test("toHalf() knows what is no number of float16", () => {
  assert.equal(fromHalf(toHalf(MAX_HALF)), MAX_HALF);
  assert.equal(fromHalf(toHalf(65519)), MAX_HALF);
  assert.equal(fromHalf(toHalf(-65520)), -Infinity);
  assert.equal(fromHalf(toHalf(1e30)), Infinity);
  assert.ok(Number.isNaN(fromHalf(toHalf(NaN))));
  assert.equal(toHalf(-0), 0x8000);
  assert.equal(toHalf(2 ** -25), 0);
  assert.equal(toHalf(2 ** -25 * 1.0001), 1);
});

Deno.test("a float16 tensor holds two bytes a number, least first", () => {
  const { rawData, dims } = makeHalfTensor("t", [2, 1], Float32Array.of(1, -2));
  assert.deepEqual([...rawData], [0x00, 0x3c, 0x00, 0xc0]);
  assert.deepEqual(dims, [2n, 1n]);
});
