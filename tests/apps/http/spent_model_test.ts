/** A request's model gives its memory back once the runtime has it. */
import assert from "node:assert/strict";
import { spendingModel } from "../../../apps/http/spent_model.ts";
import { createSession, defaultRuntime } from "../../../pipeline/inference/default_runtime.ts";
import { loadFloatModel } from "../../../pipeline/quantize/quantize.ts";
import { DEMO_MODEL } from "../../support/demo.ts";

const feeds = new Map([["image", { data: new Float32Array(784).fill(0.5), dims: [1, 1, 28, 28] }]]);

Deno.test("weights are let go of when the session is there, which computes the same", async () => {
  const file = await Deno.readFile(DEMO_MODEL);
  const { prepared } = await loadFloatModel(file, DEMO_MODEL);
  const output = prepared.graph.output[0].name;
  const run = async (runtime = defaultRuntime()) => {
    await using session = await createSession(prepared, { name: "the demo", runtime });
    return [...(await session.run(feeds, [output])).get(output)!.data];
  };
  const expected = await run();
  assert.deepEqual(await run(spendingModel(defaultRuntime(), file)), expected);
  assert.equal(file.byteLength, 0);
  const left = prepared.graph.initializer.reduce((sum, { rawData }) => sum + rawData.length, 0);
  assert.equal(left, 0);
});

Deno.test("weights stay when there is no session, for whoever says why", async () => {
  const file = await Deno.readFile(DEMO_MODEL);
  const { prepared } = await loadFloatModel(file, DEMO_MODEL);
  const refusing = { ...defaultRuntime(), open: () => Promise.reject(new Error("no")) };
  const spending = spendingModel(refusing, file);
  await assert.rejects(createSession(prepared, { name: "the demo", runtime: spending }));
  assert.ok(file.byteLength > 0);
});
