/** Tables in blocks of few bits, against the grids of the definition. */
import assert from "node:assert/strict";
import { quantizeBlocks } from "../../onnx/quantized/quantize_blocks.ts";
import { floats, gaussian } from "../support/random.ts";

/** Squared error of one block. */
function errorOf(block: Float32Array, scale: number, zero: number, most: number): number {
  return block.reduce((sum, x) => {
    const code = Math.min(most, Math.max(0, Math.round(x / scale) + zero));
    return sum + ((code - zero) * scale - x) ** 2;
  }, 0);
}

Deno.test("quantizeBlocks() errs no more than the smallest grid without clipping, and less where clipping pays", () => {
  const data = floats(64 * 32, gaussian(4));
  const { codes, scales, zeroPoints } = quantizeBlocks(data, 32, 4);
  let isLess = 0;
  for (let b = 0; b < 64; b++) {
    const block = data.subarray(32 * b, 32 * b + 32);
    const own = block.reduce(
      (sum, x, i) => sum + ((codes[32 * b + i] - zeroPoints[b]) * scales[b] - x) ** 2,
      0,
    );
    assert.ok(Math.abs(own - errorOf(block, scales[b], zeroPoints[b], 15)) < 1e-6 * (1 + own));
    const [low, high] = [Math.min(0, ...block), Math.max(0, ...block)];
    const scale = Math.fround((high - low) / 15);
    const plain = errorOf(block, scale, Math.round(-low / scale), 15);
    assert.ok(own <= plain * (1 + 1e-6), `${own} and ${plain}`);
    if (own < 0.98 * plain) isLess++;
  }
  assert.ok(isLess > 10, `${isLess} of 64 blocks gain`);
});

Deno.test("quantizeBlocks() keeps zeros, and blocks of one sign have zero at an end", () => {
  const data = new Float32Array(48);
  for (let i = 16; i < 32; i++) data[i] = i - 15;
  for (let i = 32; i < 48; i++) data[i] = -1e-30;
  const { codes, scales, zeroPoints } = quantizeBlocks(data, 16, 4);
  assert.deepEqual([...codes.subarray(0, 16)], Array(16).fill(zeroPoints[0]));
  assert.equal(zeroPoints[1], 0);
  assert.ok(scales.every((scale) => scale > 0 && Number.isFinite(scale)));
  // Numbers that no step is small enough for are zero.
  assert.ok(codes.subarray(32).every((code) => Math.abs(code - zeroPoints[2]) <= 15));
});
