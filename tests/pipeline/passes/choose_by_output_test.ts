/** AUTO by output: what matters to the outputs, not to the tensor itself. */
import assert from "node:assert/strict";
import { calibrate } from "../../../pipeline/passes/calibrate.ts";
import { chooseByOutput } from "../../../pipeline/passes/choose_by_output.ts";
import { digest } from "../../../core/hash.ts";
import type { Sample, Tensor } from "../../../core/tensor.ts";
import { heldOutSamples } from "../../../pipeline/passes/held_out_samples.ts";
import {
  loadFloatModel,
  type Quantization,
  quantize,
} from "../../../pipeline/quantize/quantize.ts";
import { decide } from "../../../pipeline/search/decide.ts";
import { canonicalJson } from "../../../core/canonical_json.ts";
import { PlimsollError } from "../../../core/errors.ts";
import { type Model, readModel, writeModel } from "../../../onnx/file/model.ts";
import { makeTensor } from "../../../onnx/file/tensor.ts";
import { presetTarget } from "../../../tpc/targets/read_target.ts";
import { demoModel, demoSamples } from "../../support/demo.ts";
import { model, node, value } from "../../support/onnx.ts";
import { uniform } from "../../support/random.ts";
import { runModel } from "../../support/run_model.ts";

const preset = presetTarget("default")!;

/** Elements of a sample: one that the output is made of, and many that it hardly knows. */
const LENGTH = 512;

/**
 * One Gemm over 511 small elements with little weight and one large element with much. With 3 bits the squared error
 * of the input is least when the large one is clipped; the output is then wrong by half.
 */
const heavy = await loadFloatModel(
  writeModel(model({
    nodes: [node("Gemm", ["x", "w"], ["y"])],
    inputs: [value("x", ["n", LENGTH])],
    outputs: [value("y", ["n", 1])],
    initializers: [
      makeTensor("w", [LENGTH, 1], Float32Array.from({ length: LENGTH }, (_, i) => i ? 0.01 : 1)),
    ],
  })),
  "heavy.onnx",
);

function heavySamples(count: number, seed: number): Sample<Tensor>[] {
  const next = uniform(seed);
  return Array.from({ length: count }, (_, index) => ({
    index,
    id: `${index}`,
    input: {
      data: Float32Array.from({ length: LENGTH }, (_, i) => i ? next() : 1.5 + next() / 4),
      dims: [LENGTH],
    },
  }));
}

const target = { ...preset, activation: { ...preset.activation, bits: 3, error: "auto" as const } };
const COUNT = 120;

/** Quantizes with the outputs deciding. */
function byOutput(
  samples: readonly Sample[],
  options: { batch?: number; runs?: number } = {},
  again = samples,
): Promise<Quantization> {
  // The first pass sees one order, the second one another.
  const orders = [samples, again];
  const opener = {
    open: () => Promise.resolve({ samples: ReadableStream.from(orders.shift()!) }),
  };
  const { runs: autoRuns, batch } = options;
  return quantize(heavy, opener, {
    ...{ target, autoBy: "output" },
    ...(autoRuns === undefined ? {} : { autoRuns }),
  }, { batch });
}

/** Σ(y′ − y)² / Σy² over some samples. */
async function noise(quantized: Model, samples: readonly Sample<Tensor>[]): Promise<number> {
  const x = {
    data: Float32Array.from(samples.flatMap(({ input }) => [...input.data])),
    dims: [samples.length, LENGTH],
  };
  const [float, found] = await Promise.all(
    [heavy.prepared, quantized].map(async (made) => (await runModel(made, { x })).get("y")!.data),
  );
  const square = (sum: number, y: number) => sum + y * y;
  return float.map((y, i) => found[i] - y).reduce(square, 0) / float.reduce(square, 0);
}

Deno.test("the outputs choose another grid than the local error where that loses what they are made of", async () => {
  const samples = heavySamples(COUNT, 1);
  const local = await quantize(heavy, ReadableStream.from(samples), { target });
  const chosen = await byOutput(samples);
  const [before] = local.manifest.activations;
  const [after] = chosen.manifest.activations;
  assert.deepEqual([before.threshold, after.threshold], [1, 2]);
  assert.ok(after.statistics!.sqnr! < before.statistics!.sqnr!, "the local error is the larger");
  assert.notEqual(after.method, before.method);
  assert.match(
    after.reason.join("\n"),
    /auto: outputs [\d.]+ dB with \w+, (under )?[\d.]+ with mse.*\(\d+ held-out samples\)/,
  );
  const others = heavySamples(50, 2);
  const [x, y] = [local, chosen].map((result) => noise(readModel(result.model, "q"), others));
  assert.ok(await y < await x / 10, `${await y} and ${await x}`);
});

Deno.test("the choice doesn't depend on batches or on the order of the samples in either pass", async () => {
  const samples = heavySamples(COUNT, 3);
  const shuffled = samples.map((_, i) => samples[(i * 37 + 11) % COUNT]);
  const first = await byOutput(samples, { batch: 1 });
  const rest = [
    await byOutput(samples, { batch: 7 }),
    await byOutput(shuffled, { batch: 64 }, samples),
    await byOutput(samples, {}, shuffled),
  ];
  for (const other of rest) {
    assert.equal(canonicalJson(other.manifest), canonicalJson(first.manifest));
    assert.deepEqual(other.model, first.model);
  }
});

Deno.test("held-out samples are those of the least SHA-256, whatever their order", async () => {
  const samples = heavySamples(200, 4);
  const hashes = new Map<Sample, string>();
  for (const sample of samples) {
    hashes.set(sample, (await digest(new Uint8Array(sample.input.data.buffer))).toHex());
  }
  const expected = samples.filter((sample) => parseInt(hashes.get(sample)!.slice(0, 2), 16) < 32)
    .sort((a, b) => hashes.get(a)! < hashes.get(b)! ? -1 : 1).slice(0, 5);
  assert.equal(expected.length, 5);
  for (const list of [samples, samples.toReversed()]) {
    const found = await heldOutSamples(ReadableStream.from(list), 5);
    assert.deepEqual(found.map(({ id }) => id), expected.map(({ id }) => id));
  }
});

Deno.test("with no runs to spare every tensor keeps the grid of least error, and says so", async () => {
  const { manifest: { activations: [entry] } } = await byOutput(heavySamples(COUNT, 1), {
    runs: 9,
  });
  assert.equal(entry.threshold, 1);
  assert.match(entry.reason.join("\n"), /outputs not compared, since 9 runs don't suffice/);
});

Deno.test("without two held-out samples the choice is refused", async () => {
  const samples = heavySamples(COUNT, 1);
  const held = new Set((await heldOutSamples(ReadableStream.from(samples), COUNT)).slice(1));
  const few = samples.filter((sample) => !held.has(sample));
  await assert.rejects(byOutput(few), (error: unknown) => {
    assert.ok(error instanceof PlimsollError);
    assert.match(error.message, /at least 2 held-out samples.*found 1/);
    return true;
  });
});

Deno.test("on the demo, methods that the target fixes stay, and the others say what the outputs said", async () => {
  const float = await demoModel();
  const fixed = "/features/features.0/features.0.2/Clip_output_0";
  const mixed = {
    ...preset,
    activation: { ...preset.activation, error: "auto" as const },
    overrides: [{ match: { tensor: fixed }, activation: { error: "kl" as const } }],
  };
  const pass = { model: float.prepared, target: mixed };
  const count = 100;
  const statistics = await calibrate(await demoSamples(count), {
    ...pass,
    modelSha256: float.sha256,
  });
  const input = { ...pass, statistics, statisticsSha256: "0".repeat(64) };
  const local = await decide(input);
  const choice = await chooseByOutput(statistics, local, await demoSamples(count), pass);
  const owners = local.activations.filter(({ sameAs }) => sameAs === undefined);
  assert.deepEqual(
    [...choice.keys()].sort(),
    owners.map(({ tensor }) => tensor).filter((tensor) => tensor !== fixed).sort(),
  );
  const manifest = await decide({ ...input, byOutput: choice });
  for (const { tensor, method, scale, reason } of manifest.activations) {
    const chosen = choice.get(tensor);
    if (chosen === undefined) continue;
    assert.deepEqual([method, scale], [chosen.method, chosen.levels.step], tensor);
    assert.match(reason.join("\n"), /auto: (outputs .* dB with|all methods choose)/, tensor);
  }
});
