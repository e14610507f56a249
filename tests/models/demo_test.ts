/** The demo on as many images as accuracy takes. */
import assert from "node:assert/strict";
import { readModel } from "../../onnx/file/model.ts";
import { outlineGraph } from "../../onnx/graph/outline.ts";
import { evaluate } from "../../pipeline/evaluate/evaluate.ts";
import { createSession } from "../../pipeline/inference/default_runtime.ts";
import { quantize } from "../../pipeline/quantize/quantize.ts";
import { demoModel, demoSamples, EVALUATION } from "../support/demo.ts";

Deno.test("quantized top-1 is within 0.5 points of float on 1,000 evaluation images", async () => {
  const float = await demoModel();
  const calibrated = await quantize(float, await demoSamples(300), { target: "default" });
  await using reference = await createSession(float.original, { name: "float" });
  await using quantized = await createSession(readModel(calibrated.model, "q"), {
    name: "quantized",
  });
  const [a, b] = await evaluate(
    [{ name: "float", session: reference }, { name: "quantized", session: quantized }],
    await demoSamples(1000, EVALUATION),
    { inputs: outlineGraph(float.original.graph).inputs, batch: 8 },
  );
  assert.ok(a.top1! > 0.9 && Math.abs(a.top1! - b.top1!) <= 0.005, `${a.top1} and ${b.top1}`);
  assert.ok(b.agreement > 0.98 && b.sqnr! > 20, `${b.agreement}, ${b.sqnr} dB`);
});
