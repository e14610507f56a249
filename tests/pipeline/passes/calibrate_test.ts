/** However a calibration is cut, interrupted and joined again, it gives the same bytes. */
import assert from "node:assert/strict";
import { calibrate, type CalibrateOptions } from "../../../pipeline/passes/calibrate.ts";
import type { Sample } from "../../../core/tensor.ts";
import { denoHost } from "../../../apps/hosts/deno.ts";
import { mergeStatistics } from "../../../pipeline/statistics/merge_statistics.ts";
import { readPlim, writePlim } from "../../../pipeline/statistics/plim.ts";
import type { Statistics } from "../../../pipeline/statistics/statistics.ts";
import type { PlimsollError } from "../../../core/errors.ts";
import { makeTensor } from "../../../onnx/file/tensor.ts";
import { addOverrides, presetTarget } from "../../../tpc/targets/read_target.ts";
import { demoModel, demoSamples } from "../../support/demo.ts";
import { model, node, value } from "../../support/onnx.ts";

const { prepared, sha256: modelSha256 } = await demoModel();
const target = presetTarget("default")!;
const auto = { ...target, activation: { ...target.activation, error: "auto" as const } };
const options: CalibrateOptions = {
  ...{ model: prepared, modelSha256, batch: 8, source: "demo", preprocessing: "ab".repeat(32) },
  target: auto,
  startWorker: denoHost.startWorker,
};
const COUNT = 60;
const all = await Array.fromAsync(await demoSamples(COUNT));
/** Copies, since workers take the buffers of the samples. */
const stream = (samples: readonly Sample[] = all) =>
  ReadableStream.from(samples.map((sample) => structuredClone(sample)));
const run = async (more: Partial<CalibrateOptions> = {}, samples: readonly Sample[] = all) =>
  await calibrate(stream(samples), { ...options, ...more });
let whole: Uint8Array;

Deno.test.beforeAll(async () => void (whole = await writePlim(await run())));

for (const workers of [2, 3, 4]) {
  for (const batch of [1, 8]) {
    Deno.test(`${workers} workers with batches of ${batch} give the bytes of one`, async () => {
      assert.deepEqual(await writePlim(await run({ workers, batch })), whole);
    });
  }
}

Deno.test("more workers than samples are no problem", async () => {
  const two = all.slice(0, 2);
  assert.deepEqual(
    await writePlim(await run({ workers: 4 }, two)),
    await writePlim(await run({}, two)),
  );
});

Deno.test("W workers with batches of B hold at most W·(3·B + 1) samples behind the source", async () => {
  const [workers, batch] = [2, 4];
  let [pulled, done, most] = [0, 0, 0];
  const counting = new ReadableStream<Sample>({
    pull: (controller) => {
      if (pulled === all.length) return controller.close();
      controller.enqueue(structuredClone(all[pulled++]));
      most = Math.max(most, pulled - done);
    },
  }, { highWaterMark: 0 });
  await calibrate(counting, {
    ...{ ...options, workers, batch },
    onProgress: (progress) => void (done = progress.done),
  });
  assert.ok(most <= workers * (3 * batch + 1), `${most} in flight`);
  assert.ok(most > workers * batch, `${most}: the next batch comes in while one is at work`);
});

/** Samples that come one by one, so that there is something to wait for. */
const slow = (samples: readonly Sample[], milliseconds: number) => {
  let next = 0;
  return new ReadableStream<Sample>({
    pull: async (controller) => {
      if (next === samples.length) return controller.close();
      await new Promise((resolve) => setTimeout(resolve, milliseconds));
      controller.enqueue(structuredClone(samples[next++]));
    },
  }, { highWaterMark: 0 });
};

Deno.test("workers are taken in where what is left is worth them, and change no bit", async () => {
  let started = 0;
  const growing = (samples: ReadableStream<Sample>, room: number, total?: number) => {
    started = 0;
    const startWorker = () => (started++, denoHost.startWorker!());
    const more = { workers: "auto", room: () => room, startWorker, batch: 2, total } as const;
    return calibrate(samples, { ...options, ...more });
  };
  // As much as if there were an hour's work left.
  assert.deepEqual(await writePlim(await growing(slow(all, 60), 2, 1e5)), whole);
  assert.equal(started, 2);
  assert.deepEqual(await writePlim(await growing(slow(all, 60), 0, 1e5)), whole);
  assert.equal(started, 0, "no room");
  assert.deepEqual(await writePlim(await growing(stream(), 2, COUNT)), whole);
  assert.equal(started, 0, "done before anything is known");
});

Deno.test("what goes wrong in a worker that was taken in ends the calibration, in the same words", async () => {
  const bad = all.map((sample, i) =>
    i < 50 ? sample : {
      ...sample,
      input: { dims: [1, 28, 28], data: new Float32Array(784).fill(NaN) },
    }
  );
  let cancelled: unknown;
  const source = slow(bad as Sample[], 60).pipeThrough(
    new TransformStream<Sample, Sample>({
      // Not in the types yet.
      ...{ cancel: (reason: unknown) => void (cancelled = reason) },
    }),
  );
  const room = () => 1;
  await assert.rejects(
    calibrate(source, { ...options, workers: "auto", room, total: 1e5, batch: 1 }),
    /found NaN from sample/,
  );
  assert.match(`${cancelled}`, /NaN/);
});

Deno.test("shards in any order merge to the bytes of one run", async () => {
  const shards = [2, 0, 1].map((shard) => all.filter(({ index }) => index % 3 === shard));
  const parts: Statistics[] = [];
  for (const shard of shards) {
    parts.push(await readPlim(await writePlim(await run({}, shard)), "s"));
  }
  assert.deepEqual(await writePlim(mergeStatistics(parts)), whole);
  const two = mergeStatistics([parts[2], mergeStatistics([parts[0], parts[1]])]);
  assert.deepEqual(await writePlim(two), whole);
});

Deno.test("mergeStatistics() refuses parts that don't belong together, saying why", async () => {
  const [a, b] = [await run({}, all.slice(0, 4)), await run({}, all.slice(4, 8))];
  const cases: [Statistics, RegExp][] = [
    [{ ...b, model: { sha256: "0".repeat(64) } }, /the same model/],
    [{ ...b, data: { ...b.data, preprocessing: null } }, /the same preprocessing/],
    [
      { ...b, runtime: "onnxruntime-node 1.30.0 linux x64" },
      /wanted the same runtime as in "part 1", onnxruntime-web 1\.30\.0, found another one, onnxruntime-node.*runtime: wasm/,
    ],
    [{ ...b, tensors: b.tensors.slice(1) }, /the same watched tensors/],
    [{ ...b, data: { ...b.data, holdsOut: false } }, /held-out samples in all parts or none/],
    [a, /sample 0 of source demo in two of them/],
  ];
  for (const [other, message] of cases) assert.throws(() => mergeStatistics([a, other]), message);
});

Deno.test("a sample with a position that was there before is refused", async () => {
  await assert.rejects(run({}, [all[0], all[1], all[0]]), /position 0 a second time/);
});

for (const workers of [1, 2]) {
  Deno.test(`a run aborted in the middle writes a checkpoint, and resumes to the same bytes: ${workers} workers`, async () => {
    const controller = new AbortController();
    let kept: Uint8Array<ArrayBuffer> | undefined;
    let seen = 0;
    const checkpoint = {
      every: 1000,
      write: async (statistics: Statistics) => void (kept = await writePlim(statistics)),
    };
    await assert.rejects(
      run({
        ...{ workers, checkpoint, signal: controller.signal },
        onProgress: ({ done }) => {
          seen = done;
          if (done >= 24) controller.abort(new DOMException("Interrupted", "AbortError"));
        },
      }),
      /Interrupted/,
    );
    const resume = await readPlim(kept!, "checkpoint");
    assert.ok(resume.data.samples >= seen && resume.data.samples < COUNT, `${resume.data.samples}`);
    assert.deepEqual(await writePlim(await run({ resume, workers })), whole);
  });

  Deno.test(`any checkpoint resumes to the same bytes: ${workers} workers`, async () => {
    const kept: Statistics[] = [];
    const checkpoint = {
      every: 16,
      write: (statistics: Statistics) => Promise.resolve(void kept.push(statistics)),
    };
    assert.deepEqual(await writePlim(await run({ checkpoint, workers })), whole);
    assert.ok(kept.length >= 2, `${kept.length} checkpoints`);
    for (const resume of kept) {
      assert.deepEqual(await writePlim(await run({ resume, workers })), whole);
    }
  });
}

Deno.test("resuming a finished run gives it back", async () => {
  const resume = await readPlim(whole, "whole");
  assert.deepEqual(await writePlim(await run({ resume })), whole);
});

/** 1 / x: infinity for a sample with a zero. */
const reciprocal = model({
  nodes: [node("Reciprocal", ["x"], ["r"]), node("Conv", ["r", "w"], ["y"])],
  inputs: [value("x", ["N", 1, 2, 2])],
  outputs: [value("y", ["N", 1, 2, 2])],
  initializers: [makeTensor("w", [1, 1, 1, 1], Float32Array.of(2))],
});
const numbers = (index: number, ...data: number[]): Sample => ({
  index,
  id: `number ${index}`,
  input: { data: Float32Array.from(data), dims: [1, 2, 2] },
});
const good = [numbers(0, 1, 2, 3, 4), numbers(2, 5, 6, 7, 8), numbers(3, 1, 1, 2, 2)];
const bad = numbers(1, 1, 0, 2, 3);

for (const workers of [1, 2]) {
  Deno.test(`a sample that makes infinity is left out by policy, and named: ${workers} workers`, async () => {
    const reasons: PlimsollError[] = [];
    const own = {
      ...{
        model: reciprocal,
        target,
        batch: 4,
        workers,
        onSkip: (e: PlimsollError) => reasons.push(e),
      },
      onNonFinite: "skip" as const,
    };
    const some = await run(own, [good[0], bad, good[1], good[2]]);
    const none = await run(own, good);
    assert.deepEqual(some.tensors, none.tensors);
    assert.deepEqual([some.data.samples, some.data.skipped, some.data.sha256], [
      3,
      1,
      none.data.sha256,
    ]);
    assert.deepEqual(some.data.sources, [{ source: "demo", ranges: [[0, 4]] }]);
    assert.match(reasons[0].message, /tensor "r".*Infinity from sample "number 1"/);
    assert.equal(reasons.length, 1);
  });
}

Deno.test("a part of which every sample was left out adds nothing, whichever part it is", async () => {
  const options = { model: reciprocal, target, onNonFinite: "skip" as const };
  const whole = await run(options, [good[0], bad, good[1], good[2]]);
  const [empty, rest] = [await run(options, [bad]), await run(options, good)];
  for (const parts of [[empty, rest], [rest, empty]]) {
    assert.deepEqual(mergeStatistics(parts), whole);
  }
});

Deno.test("a sample that makes infinity stops the run otherwise, in a worker, too", async () => {
  for (const workers of [1, 2]) {
    await assert.rejects(
      run({ model: reciprocal, target, workers }, [good[0], bad]),
      /tensor "r".*wanted finite activations, found Infinity from sample "number 1".*option `onNonfinite: skip`/,
    );
  }
});

Deno.test("samples of varying shape go through a dynamic model, whatever the batch", async () => {
  const dynamic = model({
    nodes: [node("Conv", ["x", "w"], ["y"])],
    inputs: [value("x", ["N", 1, "H", "W"])],
    outputs: [value("y", ["N", 1, "H", "W"])],
    initializers: [makeTensor("w", [1, 1, 1, 1], Float32Array.of(0.5))],
  });
  const sizes = [[1, 2], [1, 2], [3, 1], [2, 2], [2, 2], [1, 2]];
  const samples = sizes.map(([height, width], index): Sample => ({
    index,
    id: `${index}`,
    input: {
      data: Float32Array.from({ length: height * width }, (_, i) => index + i),
      dims: [1, height, width],
    },
  }));
  const own = { model: dynamic, target };
  const one = await run({ ...own, batch: 1 }, samples);
  assert.deepEqual(await writePlim(await run({ ...own, batch: 4 }, samples)), await writePlim(one));
  assert.deepEqual(one.tensors[0].shape, [1, 1, null, null]);
});

Deno.test("a model with several inputs takes them by name, integers among them", async () => {
  const two = model({
    nodes: [
      node("Gather", ["table", "ids"], ["e"]),
      node("Add", ["e", "bias"], ["s"]),
      node("MatMul", ["s", "m"], ["y"]),
    ],
    inputs: [value("ids", ["N", 3], 7), value("bias", ["N", 3, 2])],
    outputs: [value("y", ["N", 3, 2])],
    initializers: [
      makeTensor("table", [4, 2], Float32Array.from({ length: 8 }, (_, i) => i)),
      makeTensor("m", [2, 2], Float32Array.of(1, 2, 3, 4)),
    ],
  });
  const samples = [0, 1, 2].map((index): Sample => ({
    index,
    id: `${index}`,
    input: {
      ids: { data: Int32Array.of(index, 1, 3), dims: [3] },
      bias: { data: Float32Array.from({ length: 6 }, (_, i) => i / 4), dims: [3, 2] },
    },
  }));
  const statistics = await run({ model: two, target, batch: 2 }, samples);
  assert.equal(statistics.data.samples, 3);
  assert.ok(statistics.tensors.some(({ tensor }) => tensor === "s"));
  await assert.rejects(
    run({ model: two, target }, [{
      ...samples[0],
      input: { ids: { data: Int32Array.of(1, 2, 3), dims: [3] } },
    }]),
    /wanted inputs "ids", "bias", found "ids"/,
  );
});

Deno.test("a model of which only the input is watched can be calibrated", async () => {
  const only = model({
    nodes: [node("MatMul", ["x", "m"], ["y"])],
    inputs: [value("x", ["N", 2])],
    outputs: [value("y", ["N", 2])],
    initializers: [makeTensor("m", [2, 2], Float32Array.of(1, 2, 3, 4))],
  });
  const samples = [{ index: 0, id: "0", input: { data: Float32Array.of(1, 2), dims: [2] } }];
  const ort = presetTarget("onnxruntime")!;
  const { tensors } = await run({ model: only, target: ort }, samples);
  assert.deepEqual(tensors.map(({ tensor }) => tensor), ["x"]);
});

Deno.test("fractions for an input of integers are refused, not cut off", async () => {
  const bytes = model({
    nodes: [node("Cast", ["x"], ["f"], { to: 1 }), node("MatMul", ["f", "m"], ["y"])],
    inputs: [value("x", ["N", 2], 2)],
    outputs: [value("y", ["N", 2])],
    initializers: [makeTensor("m", [2, 2], Float32Array.of(1, 2, 3, 4))],
  });
  const of = (...data: number[]) => [
    { index: 0, id: "0", input: { data: Float32Array.from(data), dims: [2] } },
  ];
  assert.equal((await run({ model: bytes, target }, of(3, 255))).data.samples, 1);
  await assert.rejects(
    run({ model: bytes, target }, of(1, 0.25)),
    /input "x" .* whole numbers, as its type uint8 says, found 0\.25\. .*option `preprocess: raw`/,
  );
});

Deno.test("samples that don't fill the last batch of a fixed size are refused with what to do", async () => {
  const fixed = model({
    nodes: [node("Conv", ["x", "w"], ["y"])],
    inputs: [value("x", [2, 1, 1, 2])],
    outputs: [value("y", [2, 1, 1, 2])],
    initializers: [makeTensor("w", [1, 1, 1, 1], Float32Array.of(0.5))],
  });
  const samples = [0, 1, 2].map((index) => ({
    ...{ index, id: `${index}` },
    input: { data: Float32Array.of(1, 2), dims: [1, 1, 2] },
  }));
  await assert.rejects(
    run({ model: fixed, target }, samples),
    /feeding "2" .* wanted 2 samples at a time, .* found 1 left\. Give a multiple of 2 with option `samples`/,
  );
});

Deno.test("a model in another precision is refused by that reason", async () => {
  const double = model({
    nodes: [node("MatMul", ["x", "m"], ["y"])],
    inputs: [value("x", ["N", 2], 11)],
    outputs: [value("y", ["N", 2], 11)],
    initializers: [makeTensor("m", [2, 2], Float64Array.of(1, 2, 3, 4))],
  });
  await assert.rejects(run({ model: double, target }), /no weights of float32\. Export the model/);
});

Deno.test("where nothing is quantized, the remedy is about what is the reason", async () => {
  const reshaping = model({
    nodes: [node("Reshape", ["x", "shape"], ["y"])],
    inputs: [value("x", ["N", 4])],
    outputs: [value("y", ["N", 2, 2])],
    initializers: [makeTensor("shape", [3], BigInt64Array.of(0n, 2n, 2n))],
  });
  await assert.rejects(run({ model: reshaping, target }), /Give another model or option `target`/);
  const relu = model({
    nodes: [node("Relu", ["x"], ["y"])],
    inputs: [value("x", ["N", 4])],
    outputs: [value("y", ["N", 4])],
  });
  const float = addOverrides(target, [{ match: { operator: "Relu" }, quantize: false }]);
  await assert.rejects(run({ model: relu, target: float }), /Leave out an option `override`/);
});
