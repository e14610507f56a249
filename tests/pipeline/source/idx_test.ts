import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { openSamples } from "../../../pipeline/source/open_samples.ts";
import { gunzipIfNeeded } from "../../../pipeline/source/gunzip.ts";
import { readIdx } from "../../../pipeline/source/idx.ts";
import { countingSource, memoryHost } from "../../support/streams.ts";

/** An IDX file of `count` items of `shape`, elements counting up. */
export function idxFile(count: number, shape: number[]): Uint8Array<ArrayBuffer> {
  const size = shape.reduce((a, b) => a * b, count);
  const file = new Uint8Array(4 + 4 * (shape.length + 1) + size);
  file.set([0, 0, 8, shape.length + 1]);
  const view = new DataView(file.buffer);
  [count, ...shape].forEach((length, axis) => view.setUint32(4 + 4 * axis, length));
  for (let i = 0; i < size; i++) file[file.length - size + i] = i % 251;
  return file;
}

const stream = (bytes: Uint8Array<ArrayBuffer>, chunk = bytes.length || 1) => {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  for (let i = 0; i < bytes.length; i += chunk) parts.push(bytes.slice(i, i + chunk));
  return countingSource(parts);
};

for (const chunk of [1, 3, 7, 1000]) {
  Deno.test(`readIdx() gives the items in order, chunks of ${chunk} bytes`, async () => {
    const { count, shape, items } = await readIdx(stream(idxFile(5, [2, 3]), chunk).stream, "x");
    assert.deepEqual([count, shape], [5, [2, 3]]);
    const all = (await Array.fromAsync(items)).map((item) => [...item]);
    assert.deepEqual(all.flat(), Array.from({ length: 30 }, (_, i) => i));
    assert.equal(all.length, 5);
  });
}

Deno.test("readIdx() reads no further than it is asked and hands on cancel", async () => {
  const { stream: bytes, record } = stream(idxFile(1000, [10]), 10);
  const { items } = await readIdx(bytes, "x");
  const reader = items.getReader();
  for (let i = 0; i < 3; i++) await reader.read();
  assert.ok(record.pulled <= 6, `${record.pulled} chunks pulled for header and three items`);
  await reader.cancel("enough");
  assert.equal(record.cancelled, "enough");
});

const BROKEN: [string, Uint8Array<ArrayBuffer>, RegExp][] = [
  ["an empty file", new Uint8Array(0), /found an empty file/],
  [
    "another kind of file",
    Uint8Array.of(0xff, 0xd8, 0xff, 0xe0, 1, 2, 3, 4),
    /begins with ff d8 ff e0/,
  ],
  [
    "float elements",
    Uint8Array.of(0, 0, 0x0d, 1, 0, 0, 0, 1, 0, 0, 0, 0),
    /begins with 00 00 0d 01/,
  ],
  ["a header cut off", idxFile(5, [2, 3]).slice(0, 9), /cut off in its header/],
  ["no items", idxFile(0, [2, 3]), /without samples/],
];
for (const [name, bytes, message] of BROKEN) {
  Deno.test(`readIdx() refuses ${name} and cancels the stream`, async () => {
    const { stream: source, record } = stream(bytes);
    await assert.rejects(readIdx(source, "x.idx"), message);
    assert.ok(record.isCancelled || record.pulled === Math.min(bytes.length, 1), "left open");
  });
}

Deno.test("readIdx() fails at the sample where the data end", async () => {
  const { items } = await readIdx(stream(idxFile(5, [2, 3]).slice(0, 16 + 20)).stream, "x.idx");
  await assert.rejects(
    Array.fromAsync(items),
    /wanted 5 samples, as its header says, found the end of the file after 3/,
  );
});

Deno.test("gunzipIfNeeded() knows gzip by its bytes and passes on the rest", async () => {
  const plain = idxFile(3, [4]);
  const packed = new Uint8Array(gzipSync(plain));
  for (const bytes of [plain, packed]) {
    const { items } = await readIdx(await gunzipIfNeeded(stream(bytes, 5).stream), "x");
    assert.equal((await Array.fromAsync(items)).length, 3);
  }
});

Deno.test("openSamples() of damaged gzip says so", async () => {
  const packed = gzipSync(idxFile(300, [28, 28]));
  const cut = new Uint8Array(packed.subarray(0, packed.length / 2));
  const { samples } = await openSamples(memoryHost({ "a-idx3": cut }), "a-idx3");
  await assert.rejects(Array.fromAsync(samples), /wanted 300 samples, found .* after \d+/);
});

Deno.test("openSamples() finds the labels beside the images, in order", async () => {
  const host = memoryHost({
    "d/t-images-idx3-ubyte": idxFile(4, [2, 2]),
    "d/t-labels-idx1-ubyte": idxFile(4, []),
  });
  const { count, isLabelled, samples } = await openSamples(host, "d/t-images-idx3-ubyte");
  assert.deepEqual([count, isLabelled], [4, true]);
  const all = await Array.fromAsync(samples);
  assert.deepEqual(
    all.map(({ label, index, id }) => [label, index, id]),
    [0, 1, 2, 3].map((i) => [i, i, `d/t-images-idx3-ubyte#${i}`]),
  );
  assert.deepEqual([
    all[2].image!.height,
    all[2].image!.width,
    all[2].image!.channels,
    ...all[2].image!.pixels,
  ], [
    2,
    2,
    1,
    8,
    9,
    10,
    11,
  ]);
});

Deno.test("openSamples() takes no more than the limit", async () => {
  const { count, samples } = await openSamples(
    memoryHost({ "a-idx3": idxFile(9, [1, 1]) }),
    "a-idx3",
    { limit: 4 },
  );
  assert.equal(count, 4);
  assert.equal((await Array.fromAsync(samples)).length, 4);
});

Deno.test("openSamples() refuses labels that don't belong to the images", async () => {
  const host = memoryHost({ "t-images-idx3": idxFile(4, [2, 2]), "t-labels-idx1": idxFile(3, []) });
  await assert.rejects(openSamples(host, "t-images-idx3"), /3 labels .* for 4 images/);
});
