/** Recipes without grids of activations, over HTTP. */
import assert from "node:assert/strict";
import { createHandler } from "../../../apps/http/mod.ts";
import { readModel } from "../../../onnx/file/model.ts";
import { bytesOf, demoForm, demoOptions, problemOf } from "../../support/requests.ts";

async function quantize(options: Record<string, string>): Promise<Response> {
  const path = `http://localhost/v1/quantize?${await demoOptions(options)}`;
  return await createHandler().fetch(
    new Request(path, { method: "POST", body: await demoForm() }),
  );
}

for (
  const [options, operator] of [
    [{ activation: "dynamic" }, "MatMulInteger"],
    [{ "weight-only": "int8" }, "Cast"],
    [{ "weight-only": "int4" }, "MatMulNBits"],
    [{ "weight-only": "float16" }, "Cast"],
  ] as const
) {
  const [[name, value]] = Object.entries(options);
  Deno.test(`${name} ${value} quantizes over HTTP`, async () => {
    const file = await bytesOf(await quantize({ target: "onnxruntime", ...options }));
    const { graph } = readModel(file, "the answer");
    assert.ok(graph.node.some(({ opType }) => opType === operator));
    assert.ok(graph.node.every(({ opType }) => opType !== "QuantizeLinear"));
  });
}

Deno.test("what they can't honour is refused over HTTP by its names there", async () => {
  const { detail } = await problemOf(await quantize({ "weight-only": "int8", bits: "6" }));
  assert.match(detail, /no activation is quantized/);
  assert.match(detail, /bits/);
});
