/** `inspect --fusion` as its user sees it. */
import assert from "node:assert/strict";
import { parseProfile } from "../../../pipeline/inference/profile.ts";
import { writeModel } from "../../../tpc/onnx/model.ts";
import { inFolder, runCommand } from "../../support/cli.ts";
import { DEMO_MODEL } from "../../support/demo.ts";
import { model, node, value } from "../../support/onnx.ts";

Deno.test("inspect --fusion shows that every layer of the emitted demo runs on integers", () =>
  inFolder(async (folder) => {
    const [statistics, manifest] = [`${folder}/s.plim`, `${folder}/m.json`];
    await runCommand("calibrate", "--samples", "8", "--out", statistics, "--quiet");
    await runCommand("search", "--statistics", statistics, "--out", manifest);
    const file = `${folder}/m.onnx`;
    await runCommand("emit", "--manifest", manifest, "--out", file);
    const text = await runCommand("inspect", "--fusion", file);
    assert.deepEqual([text.code, text.error], [0, ""]);
    assert.match(text.out, /^Conv +\S+ +QLinearConv +integer$/m);
    assert.match(text.out, /^23 of 23 convolutions and matrix products/m);
    assert.match(text.out, /^Between the nodes ran 1 DequantizeLinear, 1 QuantizeLinear, /m);
    const json = await runCommand(
      ...["inspect", "--fusion", file, "--json", "--input-shape", "image:2x1x28x28"],
    );
    assert.deepEqual(JSON.parse(json.out).linear, { integer: 23, total: 23 });
  }));

Deno.test("inspect --fusion says of a float model why its layers are float", async () => {
  const { out } = await runCommand("inspect", "--fusion", DEMO_MODEL);
  assert.match(out, /^Conv +\S+ +FusedConv +float +its input "image" is float$/m);
  assert.match(out, /^0 of 23 convolutions/m);
});

Deno.test("inspect --fusion refuses inputs that it can't make", () =>
  inFolder(async (folder) => {
    const file = `${folder}/m.onnx`;
    const made = model({
      nodes: [node("Abs", ["x"], ["y"])],
      inputs: [value("x", [2, 2], 7)],
      outputs: [value("y", [2, 2], 7)],
    });
    await Deno.writeFile(file, writeModel(made));
    const integers = await runCommand("inspect", "--fusion", file);
    assert.equal(integers.code, 1);
    assert.match(integers.error, /input "x".*wanted a float32 input/);
    for (
      const [shape, message] of [
        ["image:2x3x28x28", /wanted anyx1x28x28, found 2x3x28x28/],
        ["imagine:1x1x28x28", /wanted shapes for "image", found one for "imagine"/],
        ["image", /Give NAME:SHAPE/],
        ["image:1x0", /Give NAME:SHAPE/],
      ] as [string, RegExp][]
    ) {
      const { code, error } = await runCommand(
        ...["inspect", "--fusion", DEMO_MODEL, "--input-shape", shape],
      );
      assert.equal(code, 2, error);
      assert.match(error, message);
    }
  }));

Deno.test("parseProfile() reads kernels and leaves other events out", () => {
  const text = `[
{"cat" : "Session","dur" :13,"ts" :1,"ph" : "X","name" :"model_run","args" : {}},
{"cat" : "Node","dur" :823,"ts" :2,"ph" : "X","name" :"a_kernel_time","args" : {"op_name" : "QLinearConv","input_type_shape" : [{"uint8":[1,2]},{"float":[]}],"output_type_shape" : [{"uint8":[1,2]}]}}
]
`;
  assert.deepEqual(parseProfile(text), [{
    node: "a",
    kernel: "QLinearConv",
    inputs: ["uint8", "float"],
    outputs: ["uint8"],
    microseconds: 823,
  }]);
});
