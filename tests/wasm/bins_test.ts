import assert from "node:assert/strict";
import {
  BIN_COUNT,
  BIN_WIDTH_ULPS,
  binBase,
  binLowerEdge,
  binNumber,
  binSign,
  binUlpExponent,
  binUpperEdge,
  isFiniteBin,
} from "../../wasm/bins.ts";
import { BORDER_BITS, createShape, fromBits, SHAPES } from "./shapes.ts";

function* finiteBins(): Generator<number> {
  for (let bin = 0; bin < BIN_COUNT; bin++) if (isFiniteBin(bin)) yield bin;
}

Deno.test("x = sign · ulp · (base + r) for every finite border value", () => {
  for (const bits of BORDER_BITS) {
    const [x] = fromBits([bits]);
    if (!Number.isFinite(x)) continue;
    const bin = binNumber(x);
    const r = bits & 0x7fff;
    assert.equal(bin, bits >>> 15);
    const formula = binSign(bin) * (binBase(bin) + r) * 2 ** binUlpExponent(bin);
    assert.equal(formula, x, `bits 0x${bits.toString(16)}`);
  }
});

Deno.test("x = sign · ulp · (base + r) for elements of every shape", () => {
  for (const shape of SHAPES) {
    const values = createShape(shape, 2000);
    const bits = new Uint32Array(values.buffer);
    values.forEach((x, i) => {
      if (!Number.isFinite(x)) return;
      const bin = binNumber(x);
      const magnitude = (binBase(bin) + (bits[i] % BIN_WIDTH_ULPS)) * 2 ** binUlpExponent(bin);
      assert.equal(binSign(bin) * magnitude, x, shape);
    });
  }
});

Deno.test("isFiniteBin() leaves out the exponent of NaN and the infinities", () => {
  assert.equal([...finiteBins()].length, 2 * 255 * 256);
  for (const wrong of [-1, 0.5, BIN_COUNT, NaN, binNumber(NaN), binNumber(-Infinity)]) {
    assert.equal(isFiniteBin(wrong), false, `${wrong}`);
  }
});

Deno.test("each bin's edges are those of its neighbours", () => {
  for (const bin of finiteBins()) {
    assert.ok(binLowerEdge(bin) < binUpperEdge(bin), `bin ${bin}`);
    if (!isFiniteBin(bin + 1) || binSign(bin) !== binSign(bin + 1)) continue;
    if (binSign(bin) === 1) assert.equal(binUpperEdge(bin), binLowerEdge(bin + 1));
    else assert.equal(binLowerEdge(bin), binUpperEdge(bin + 1));
  }
});

Deno.test("a bin holds the edge next to zero and not the other", () => {
  for (const bin of finiteBins()) {
    const positive = binSign(bin) === 1;
    const inner = positive ? binLowerEdge(bin) : binUpperEdge(bin);
    const outer = positive ? binUpperEdge(bin) : binLowerEdge(bin);
    assert.equal(binNumber(inner === 0 && !positive ? -0 : inner), bin);
    assert.equal(binNumber(outer), bin + 1);
  }
});

Deno.test("the edges at zero and at the ends are exact", () => {
  assert.deepEqual([binLowerEdge(0), binUpperEdge(0)], [0, 2 ** -134]);
  assert.deepEqual([binLowerEdge(65536), binUpperEdge(65536)], [-(2 ** -134), 0]);
  assert.equal(binUpperEdge(254 * 256 + 255), 2 ** 128);
  assert.equal(binLowerEdge(65536 + 254 * 256 + 255), -(2 ** 128));
});
