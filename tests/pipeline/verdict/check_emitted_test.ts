/** Models emitted from a manifest alone are run on inputs that are made up. */
import assert from "node:assert/strict";
import { emitModel } from "../../../tpc/emission/emit.ts";
import { presetTarget } from "../../../tpc/targets/read_target.ts";
import { checkEmitted } from "../../../pipeline/verdict/check_emitted.ts";
import type { FloatModel } from "../../../pipeline/quantize/float_model.ts";
import type { Manifest } from "../../../tpc/manifest.ts";
import { quantize } from "../../../pipeline/quantize/quantize.ts";
import type { Model } from "../../../onnx/file/model.ts";
import { demoModel, demoSamples } from "../../support/demo.ts";
import { model, node, value } from "../../support/onnx.ts";

let float: FloatModel;
let prepared: Model;
let manifest: Manifest;

Deno.test.beforeAll(async () => {
  float = await demoModel();
  const made = await quantize(float, await demoSamples(8), { target: presetTarget("default")! });
  ({ manifest } = made);
  ({ prepared } = made.float);
});

const check = (original: Model, emitted: Model) => checkEmitted({ original, emitted, manifest });

Deno.test("a model as it should be passes", async () => {
  await check(float.original, emitModel(prepared, manifest));
});

Deno.test("one that the runtime refuses is an error that says so", async () => {
  const emitted = emitModel(prepared, manifest);
  const quantizer = emitted.graph.node.find(({ opType }) => opType === "QuantizeLinear")!;
  quantizer.opType = "NoSuchOperator";
  await assert.rejects(check(float.original, emitted), /at every level.*NoSuchOperator/s);
});

Deno.test("one that gives NaN is an error", async () => {
  const original = oneNode(node("Neg", ["x"], ["y"]));
  await assert.rejects(check(original, oneNode(node("Log", ["x"], ["y"]))), /NaN or infinite/);
  await check(original, original);
});

Deno.test("a model of sequences is run with some length that it takes", async () => {
  const lengths = (opType: string) => oneNode(node(opType, ["x"], ["y"]), "length");
  await check(lengths("Neg"), lengths("Neg"));
  await assert.rejects(check(lengths("Neg"), lengths("Log")), /NaN or infinite/);
});

/** x, all negative or zero in parts, to y. */
function oneNode(only: ReturnType<typeof node>, size: number | string = 4): Model {
  return model({
    nodes: [node("Sub", ["a", "b"], ["x"]), only],
    inputs: [value("a", ["n", size]), value("b", ["n", size])],
    outputs: [value("y", ["n", size])],
  });
}
