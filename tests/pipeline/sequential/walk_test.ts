/** Models that are run piece by piece. */
import assert from "node:assert/strict";
import type { InputTensor } from "../../../core/tensor.ts";
import { exposeTensors } from "../../../pipeline/inference/infer.ts";
import { createSession } from "../../../pipeline/inference/default_runtime.ts";
import { Walk } from "../../../pipeline/sequential/walk.ts";
import { demoModel, demoSamples } from "../../support/demo.ts";

Deno.test("a walk gives the activations of the whole model, and keeps no more than it needs", async () => {
  const { prepared } = await demoModel();
  const runs: Map<string, InputTensor>[] = [];
  for await (const { input } of await demoSamples(2)) {
    const { data } = input as InputTensor;
    runs.push(new Map([["image", { data, dims: [1, 1, 28, 28] }]]));
  }
  const tensors = prepared.graph.node.filter(({ opType }) => opType === "Conv")
    .map(({ output }) => output[0]);
  await using whole = await createSession(exposeTensors(prepared, tensors), {
    name: "the demo",
    // Nothing is fused, as nothing is between pieces.
    optimization: "basic",
  });
  const walk = new Walk(prepared, runs);
  for (const tensor of tensors) {
    await walk.advance(tensor);
    for (const [run, feeds] of runs.entries()) {
      const wanted = (await whole.run(feeds, [tensor])).get(tensor)!.data;
      const found = walk.at(run, tensor).data;
      assert.equal(found.length, wanted.length);
      const reach = wanted.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
      wanted.forEach((x, i) => assert.ok(Math.abs(Number(found[i]) - x) <= 1e-5 * reach));
    }
  }
  assert.throws(() => walk.at(0, "image"), /isn't kept/);
});
