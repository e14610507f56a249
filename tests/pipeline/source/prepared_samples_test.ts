import assert from "node:assert/strict";
import { PlimsollError } from "../../../core/errors.ts";
import { ImageError } from "../../../wasm/image.ts";
import type { RawSample, Sample } from "../../../core/tensor.ts";
import { prepareSamples } from "../../../pipeline/source/prepared_samples.ts";
import { countingSource, settle } from "../../support/streams.ts";

const raws = (count: number): RawSample[] =>
  Array.from({ length: count }, (_, index) => ({ index, id: `s${index}` }));
const input = { data: Float32Array.of(1), dims: [1] };
const failure = (cause?: unknown, kind: "data" | "input" = "data") =>
  new PlimsollError(kind, { action: "a", wanted: "b", found: "c", remedy: "d", cause });
const broken = () => failure(new ImageError("truncated", "half of it"));
const prepare = (fault: () => Error, at = 3) => (raw: RawSample): Sample => {
  if (raw.index === at) throw fault();
  return { ...raw, input };
};
const run = (stage: TransformStream<RawSample, Sample>) =>
  Array.fromAsync(countingSource(raws(6)).stream.pipeThrough(stage));

Deno.test("prepareSamples() leaves broken images out when told to, and keeps positions and order", async () => {
  const errors: string[] = [];
  const out = await run(
    prepareSamples(prepare(broken), ({ message }) => void errors.push(message)),
  );
  assert.deepEqual(out.map(({ index }) => index), [0, 1, 2, 4, 5]);
  assert.equal(errors.length, 1);
});

Deno.test("prepareSamples() stops at a broken image by default", async () => {
  await assert.rejects(run(prepareSamples(prepare(broken))), /While a: wanted b/);
});

Deno.test("prepareSamples() stops at what is no fault of the sample, whatever the policy", async () => {
  for (const fault of [() => failure(new RangeError("mean")), () => new TypeError("defect")]) {
    await assert.rejects(
      run(prepareSamples(prepare(fault), () => assert.fail("skipped"))),
      (error) => (error as Error).name === fault().name,
    );
  }
});

Deno.test("prepareSamples() pulls no more than it is asked for, past broken ones, and hands cancel on", async () => {
  const { stream, record } = countingSource(raws(30));
  const stage = prepareSamples(prepare(broken, 1), () => {});
  const reader = stream.pipeThrough(stage).getReader();
  for (let taken = 1; taken <= 5; taken++) {
    await reader.read();
    await settle();
    assert.ok(record.pulled <= taken + 2, `${record.pulled} pulled, ${taken} taken`);
  }
  await reader.cancel("enough");
  await settle();
  assert.equal(record.cancelled, "enough");
});
