/** Order, chunks in flight, cancel and error of every stage. */
import assert from "node:assert/strict";
import { mapStream } from "../../../core/map_stream.ts";
import type { Batch, InferredBatch, RawSample, Sample, Tensor } from "../../../core/tensor.ts";
import { inferBatches } from "../../../pipeline/inference/infer.ts";
import type { InferenceSession } from "../../../pipeline/inference/runtime.ts";
import { batchSamples } from "../../../pipeline/source/batches.ts";
import { preprocessor } from "../../../pipeline/source/preprocess.ts";
import { parsePreprocessing } from "../../../tpc/recipe/preprocessing.ts";
import { countingSource, settle } from "../../support/streams.ts";

const raws = (count: number): RawSample[] =>
  Array.from({ length: count }, (_, index) => ({
    ...{ index, id: `s${index}` },
    image: { height: 1, width: 2, channels: 1, pixels: Uint8Array.of(index, 255) },
  }));
const preprocess = preprocessor(parsePreprocessing({ scale: 1 }, "test"));
const samples = (count: number) => raws(count).map(preprocess) as Sample<Tensor>[];

/** A session that doubles its input. */
const doubling: InferenceSession = {
  inputs: ["x"],
  outputs: ["y"],
  run: (feeds) => {
    const { data, dims } = feeds.get("x")! as Tensor;
    return Promise.resolve(new Map([["y", { data: data.map((v) => 2 * v), dims }]]));
  },
  endProfiling: () => "",
  [Symbol.asyncDispose]: () => Promise.resolve(),
};
const inference = () => inferBatches(doubling, [{ name: "x", shape: [null, 1, 1, 2] }], ["x", "y"]);
const batches = (count: number): Batch[] =>
  samples(count).map((sample) => ({
    samples: [sample],
    inputs: new Map([["", { data: sample.input.data, dims: [1, ...sample.input.dims] }]]),
  }));

/** Each stage with items to put in and a way to tell the number of the item behind an output. */
const STAGES: {
  name: string;
  items: unknown[];
  stage: () => TransformStream<never, unknown>;
  index: (out: never) => number;
}[] = [
  {
    name: "preprocess",
    items: raws(30),
    stage: () => mapStream(preprocess) as never,
    index: (out: Sample) => out.index,
  },
  {
    name: "batch",
    items: samples(30),
    stage: () => batchSamples(1) as never,
    index: (out: Batch) => out.samples[0].index,
  },
  {
    name: "inference",
    items: batches(30),
    stage: () => inference() as never,
    index: (out: InferredBatch) => out.batch.samples[0].index,
  },
];

for (const { name, items, stage, index } of STAGES) {
  Deno.test(`stage ${name} keeps the order`, async () => {
    const out = await Array.fromAsync(countingSource(items).stream.pipeThrough(stage() as never));
    assert.deepEqual(out.map((chunk) => index(chunk as never)), items.map((_, i) => i));
  });

  Deno.test(`stage ${name} pulls nothing until asked, and one item more than was taken`, async () => {
    const { stream, record } = countingSource(items);
    const reader = stream.pipeThrough(stage() as never).getReader();
    await settle();
    assert.ok(record.pulled <= 1, `${record.pulled} pulled before the first read`);
    for (let taken = 1; taken <= 5; taken++) {
      await reader.read();
      await settle();
      assert.ok(record.pulled <= taken + 1, `${record.pulled} pulled, ${taken} taken`);
    }
    await reader.cancel();
  });

  Deno.test(`stage ${name} hands cancel on to its source`, async () => {
    const { stream, record } = countingSource(items);
    const reader = stream.pipeThrough(stage() as never).getReader();
    await reader.read();
    await reader.cancel("enough");
    await settle();
    assert.equal(record.cancelled, "enough");
  });

  Deno.test(`stage ${name} hands an error of its source on`, async () => {
    const failing = new ReadableStream({ pull: () => Promise.reject(new Error("disk gone")) }, {
      highWaterMark: 0,
    });
    await assert.rejects(Array.fromAsync(failing.pipeThrough(stage() as never)), /disk gone/);
  });
}

Deno.test("all stages together hold at most stages + 1 items in flight", async () => {
  const { stream, record } = countingSource(raws(40));
  let finished = 0;
  let most = 0;
  const sink = new WritableStream({
    write: async () => {
      await settle();
      most = Math.max(most, record.pulled - finished);
      finished++;
    },
  });
  await stream.pipeThrough(mapStream(preprocess)).pipeThrough(batchSamples(1)).pipeThrough(
    inference(),
  ).pipeTo(sink);
  assert.equal(finished, 40);
  assert.ok(most <= 4 + 1, `${most} in flight`);
});

Deno.test("one signal stops all stages and cancels the source with its reason", async () => {
  const { stream, record } = countingSource(raws(1000));
  const controller = new AbortController();
  let written = 0;
  const sink = new WritableStream({
    write: async () => {
      if (++written === 3) controller.abort(new Error("user left"));
      await settle();
    },
  });
  const done = stream.pipeThrough(mapStream(preprocess)).pipeThrough(batchSamples(2)).pipeThrough(
    inference(),
  )
    .pipeTo(sink, { signal: controller.signal });
  await assert.rejects(done, /user left/);
  await settle();
  assert.equal((record.cancelled as Error).message, "user left");
  assert.ok(record.pulled < 30, `${record.pulled} pulled`);
});

Deno.test("an error in the sink cancels the source", async () => {
  const { stream, record } = countingSource(raws(1000));
  const sink = new WritableStream({ write: () => Promise.reject(new Error("full")) });
  await assert.rejects(
    stream.pipeThrough(mapStream(preprocess)).pipeThrough(batchSamples(2)).pipeTo(sink),
    /full/,
  );
  await settle();
  assert.ok(record.isCancelled);
});

Deno.test("batchSamples() stacks samples and keeps a smaller rest", async () => {
  const out = await Array.fromAsync(countingSource(samples(7)).stream.pipeThrough(batchSamples(3)));
  assert.deepEqual(out.map(({ inputs }) => inputs.get("")!.dims[0]), [3, 3, 1]);
  assert.deepEqual([...out[1].inputs.get("")!.data], [3, 255, 4, 255, 5, 255]);
});

Deno.test("batchSamples() begins a batch where shape, type or names of the inputs change", async () => {
  const [a, b, c, d, e] = samples(5);
  const odd = { ...c, input: { data: new Float32Array(6), dims: [1, 2, 3] } };
  const ids = { data: BigInt64Array.of(1n, 2n), dims: [2] };
  const mask = { data: Uint8Array.of(1, 0), dims: [2] };
  const named = [d, e].map((sample) => ({ ...sample, input: { ids, mask } }));
  const all = [a, b, odd, ...named];
  const out = await Array.fromAsync(countingSource(all).stream.pipeThrough(batchSamples(4)));
  assert.deepEqual(out.map((batch) => batch.samples.length), [2, 1, 2]);
  assert.deepEqual([...out[2].inputs.get("ids")!.data], [1n, 2n, 1n, 2n]);
  assert.deepEqual(out[2].inputs.get("mask"), { data: Uint8Array.of(1, 0, 1, 0), dims: [2, 2] });
  for (const size of [0, 1.5, NaN]) assert.throws(() => batchSamples(size), RangeError);
});

Deno.test("inferBatches() refuses a sample that doesn't fit, naming shapes and sample", async () => {
  const wide = {
    ...batches(1)[0],
    inputs: new Map([["", { data: new Float32Array(3), dims: [1, 1, 1, 3] }]]),
  };
  await assert.rejects(
    Array.fromAsync(countingSource([wide]).stream.pipeThrough(inference())),
    /feeding "s0".*wanted shape \[any, 1, 1, 2\].*found \[1, 1, 1, 3\]/,
  );
});
