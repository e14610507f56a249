/** Plans with a runtime whose profiles can't be read. */
import assert from "node:assert/strict";
import * as node from "onnxruntime-node";
import { createRuntime } from "../../../pipeline/inference/session.ts";
import { quantize } from "../../../pipeline/quantize/quantize.ts";
import { demoModel, demoSamples } from "../../support/demo.ts";

Deno.test("with onnxruntime-node a plan needs costs, or a limit that is none of time", async () => {
  const float = await demoModel();
  const runtime = createRuntime({ kind: "native", runtime: node });
  const plan = async (wish: object, notes: string[] = []) =>
    await quantize(float, await demoSamples(12), { target: "onnxruntime", plan: wish }, {
      runtime,
      onEvent: (event) => void (event.kind === "note" && notes.push(event.text)),
    });
  await assert.rejects(() => plan({}), /costs/);
  await assert.rejects(() => plan({ maxLatency: 0.5, maxSize: 1e6 }), /costs/);
  const notes: string[] = [];
  const made = await plan({ maxSize: 200_000 }, notes);
  assert.equal(made.plan!.costs, null);
  assert.ok(made.model.length <= 200_000);
  assert.match(notes.join("\n"), /times aren't measured/);
});
