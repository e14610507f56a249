import assert from "node:assert/strict";
import { exactHistogram } from "../../../pipeline/statistics/exact_histogram.ts";
import { readPlim, writePlim } from "../../../pipeline/statistics/plim.ts";
import type { Statistics } from "../../../pipeline/statistics/statistics.ts";
import { VarintReader } from "../../../pipeline/statistics/varint.ts";
import { createNaiveHistogramCore } from "../../../wasm/mod.ts";
import { toVersion3, VarintWriter } from "../../support/plim_3.ts";
import { uniform } from "../../support/random.ts";
import { SHAPES } from "../../support/shapes.ts";

function statisticsOf(shapes: Record<string, Float32Array>): Statistics {
  const core = createNaiveHistogramCore();
  return {
    model: { sha256: "ab".repeat(32) },
    runtime: "onnxruntime-web 1.30.0",
    rewrites: { reluBounds: true, equalization: { x: [0.5, 6] } },
    data: {
      samples: 3,
      skipped: 1,
      sha256: "0".repeat(64),
      preprocessing: "cd".repeat(32),
      holdsOut: false,
      sources: [{ source: "", ranges: [[0, 2], [5, 7]] }, { source: "ef".repeat(32), ranges: [] }],
    },
    outline: {
      inputs: [{ name: 'ä"<x>', type: "float", shape: [null, 3] }],
      outputs: [{ name: "y", type: "other" }],
      nodes: [{
        name: "n",
        op: "Conv",
        domain: "",
        inputs: ["x", ""],
        outputs: ["y"],
        attributes: { pads: [1, 2], a: 0.5, s: "t" },
        captures: [],
      }],
      constants: { w: { type: "float", shape: [], values: [6] } },
    },
    tensors: Object.entries(shapes).map(([tensor, values]) => {
      const accumulator = core.create();
      accumulator.observe(values);
      return { tensor, shape: [1, null], histogram: accumulator.data() };
    }),
    channels: [
      {
        ...{ tensor: "x", axis: 1, count: 12 },
        sums: [0n, -1n, 5n, -(2n ** 126n), 2n ** 64n],
        squares: [0n, 1n, 2n ** 63n, 2n ** 126n, 2n ** 64n - 1n],
      },
      { tensor: "y", axis: -1, count: 0, sums: [], squares: [] },
      { tensor: "z", axis: 1, count: 0, sums: null, squares: null },
    ],
  };
}

const statistics = statisticsOf({ ...SHAPES, nothing: new Float32Array(0) });
const file = await writePlim(statistics);

Deno.test("readPlim() gives back what writePlim() wrote", async () => {
  assert.deepEqual(await readPlim(file, "s.plim"), statistics);
});

Deno.test("writePlim() gives the same bytes after a round trip", async () => {
  assert.deepEqual(await writePlim(await readPlim(file, "s.plim")), file);
});

Deno.test("readPlim() reads from the middle of a larger buffer", async () => {
  const buffer = new Uint8Array(file.length + 7);
  buffer.set(file, 5);
  assert.deepEqual(await readPlim(buffer.subarray(5, 5 + file.length), "s.plim"), statistics);
});

Deno.test("readPlim() refuses a file cut off anywhere", async () => {
  for (let length = 0; length < file.length; length += 997) {
    await assert.rejects(
      readPlim(file.subarray(0, length), "s.plim"),
      /reading statistics "s.plim"/,
      `${length}`,
    );
  }
});

Deno.test("readPlim() refuses any damaged byte", async () => {
  const random = uniform(3);
  for (let i = 0; i < 200; i++) {
    const damaged = file.slice();
    damaged[Math.floor(random() * file.length)] ^= 1 << Math.floor(random() * 8);
    await assert.rejects(readPlim(damaged, "s.plim"), /reading statistics/);
  }
});

/** Changes a file and makes its checksum right again, as an attacker would. */
async function forge(change: (bytes: Uint8Array) => Uint8Array): Promise<Uint8Array> {
  const body = change(file.slice(0, -32));
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", body as BufferSource));
  const forged = new Uint8Array(body.length + 32);
  forged.set(body);
  forged.set(hash, body.length);
  return forged;
}

Deno.test("readPlim() survives forged files with a right checksum", async () => {
  const random = uniform(5);
  for (let i = 0; i < 300; i++) {
    const forged = await forge((bytes) => {
      const at = 12 + Math.floor(random() * (bytes.length - 12));
      bytes[at] = Math.floor(random() * 256);
      return bytes;
    });
    // Whatever comes out is an error of ours or statistics that add up.
    await readPlim(forged, "s.plim").then(
      ({ tensors }) => tensors.forEach(({ histogram }) => exactHistogram(histogram)),
      (error) => assert.match(error.message, /reading statistics "s.plim"/),
    );
  }
});

Deno.test("readPlim() reads version 3, and writes it smaller", async () => {
  const old = await toVersion3(file);
  const found = await readPlim(old, "s.plim");
  assert.deepEqual(found, { ...statistics, runtime: null });
  assert.deepEqual(await writePlim({ ...found, runtime: statistics.runtime }), file);
  assert.ok(file.length < old.length * 0.7, `${file.length} of ${old.length}`);
});

Deno.test("readPlim() names another version", async () => {
  const forged = await forge((bytes) => {
    bytes[8] = 9;
    return bytes;
  });
  await assert.rejects(readPlim(forged, "s.plim"), /of version 4, found version 9/);
});

Deno.test("varints go from 0 to 2^64 − 1 and have one spelling", () => {
  const values = [
    0n,
    1n,
    127n,
    128n,
    2n ** 42n,
    2n ** 53n - 1n,
    2n ** 53n,
    2n ** 53n + 1n,
    2n ** 63n,
    2n ** 64n - 1n,
  ];
  const writer = new VarintWriter();
  for (const value of values) writer.writeBigint(value);
  const reader = new VarintReader(writer.bytes());
  assert.deepEqual(values.map(() => reader.readBigint()), values);
  assert.ok(reader.isDone);
  const bad = (...bytes: number[]) => () => new VarintReader(Uint8Array.from(bytes)).readBigint();
  assert.throws(bad(0x80), /data end/);
  assert.throws(bad(0x80, 0), /shortest form/);
  assert.throws(bad(...Array(9).fill(0xff), 2), /64 bits/);
  assert.throws(bad(...Array(12).fill(0xff)), /64 bits/);
  assert.throws(bad(...Array(9).fill(0x80), 0), /shortest form/);
});
