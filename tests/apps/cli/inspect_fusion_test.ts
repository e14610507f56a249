/** `inspect --fusion` as its user sees it. */
import assert from "node:assert/strict";
import { parseProfile } from "../../../pipeline/inference/profile.ts";
import { writeModel } from "../../../onnx/file/model.ts";
import { makeTensor } from "../../../onnx/file/tensor.ts";
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
    assert.match(text.out, /^Between the nodes ran 1 QuantizeLinear, /m);
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

Deno.test("inspect --fusion makes inputs of integers and refuses shapes that don't fit", () =>
  inFolder(async (folder) => {
    const file = `${folder}/m.onnx`;
    const made = model({
      nodes: [node("Abs", ["x"], ["y"])],
      inputs: [value("x", [2, 2], 7)],
      outputs: [value("y", [2, 2], 7)],
    });
    await Deno.writeFile(file, writeModel(made));
    const integers = await runCommand("inspect", "--fusion", file);
    assert.equal(integers.code, 0, integers.error);
    assert.match(integers.out, /^Abs +\S+ +Abs/m);
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

Deno.test("inspect --fusion prints no profile of a run that failed", () =>
  inFolder(async (folder) => {
    const file = `${folder}/m.onnx`;
    const made = model({
      nodes: [node("Conv", ["x", "w"], ["y"])],
      inputs: [value("x", ["N", "C", "H", "W"])],
      outputs: [value("y", ["N", 1, "H", "W"])],
      initializers: [makeTensor("w", [1, 3, 1, 1], Float32Array.of(1, 2, 3))],
    });
    await Deno.writeFile(file, writeModel(made));
    // The runtime holds on to the console that it finds first: that of another process.
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--lock=deno.lock", "-A", "--quiet", "main.ts", "inspect", "--fusion", file],
    }).output();
    const [out, error] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
    assert.deepEqual([code, out], [1, ""]);
    assert.match(error, /While running .*C: 1 kernel channels: 3/);
  }));
