/** Joins of tensors of different ranges: no source loses its steps to the widest. */
import assert from "node:assert/strict";
import type { NodeProto, TensorProto } from "../../../onnx/file/onnx_pb.ts";
import { outlineGraph } from "../../../onnx/graph/outline.ts";
import { makeTensor } from "../../../onnx/file/tensor.ts";
import { resolve } from "../../../tpc/placement/resolve.ts";
import { presetTarget, TARGET_NAMES } from "../../../tpc/targets/read_target.ts";
import type { Architecture } from "../../support/architectures.ts";
import { model, node, value } from "../../support/onnx.ts";
import { withSmallLayers } from "../../support/small_layers.ts";
import { quantizeArchitecture, samplesFor, sqnr } from "../../support/quantize_architecture.ts";
import { floats, gaussian } from "../../support/random.ts";
import { integers } from "../../support/rewrite.ts";
import { runModel } from "../../support/run_model.ts";
import { readModel } from "../../../onnx/file/model.ts";

const random = gaussian(37);

/** Boxes [N,4,6,6] of some hundreds and scores `sc` [N,4,6,6] from 0 to 1, joined by what is given. */
function heads(
  join: NodeProto[],
  outputs: [string, number][],
  more: TensorProto[] = [],
): Architecture {
  return {
    input: [1, 3, 6, 6],
    model: model({
      nodes: [
        node("Conv", ["x", "w"], ["a"], { pads: [1, 1, 1, 1] }),
        node("Relu", ["a"], ["r"]),
        node("Conv", ["r", "wb"], ["box"]),
        node("Conv", ["r", "wc"], ["cls"]),
        node("Sigmoid", ["cls"], ["sc"]),
        ...join,
      ],
      inputs: [value("x", ["N", 3, 6, 6])],
      outputs: outputs.map(([name, rank]) =>
        value(name, ["N", ...Array.from({ length: rank - 1 }, (_, i) => `${name}${i}`)])
      ),
      initializers: [
        makeTensor("w", [8, 3, 3, 3], floats(216, random)),
        makeTensor("wb", [4, 8, 1, 1], floats(32, random).map((w) => 40 * w)),
        makeTensor("wc", [4, 8, 1, 1], floats(32, random).map((w) => w / 8)),
        ...more,
      ],
    }),
  };
}

const cat = node("Concat", ["box", "sc"], ["cat"], { axis: 1 });
const reader = makeTensor(
  "wz",
  [4, 8, 1, 1],
  // The first outputs read boxes, the others scores.
  Float32Array.from({ length: 32 }, (_, i) => (i < 16) === (i % 8 < 4) ? random() : 0),
);

const HEADS: Readonly<Record<string, () => Architecture>> = {
  "Concat before an output": () =>
    heads([node("Concat", ["box", "sc"], ["y"], { axis: 1 })], [["y", 4]]),
  "Concat, Reshape and Transpose before an output": () =>
    heads(
      [
        cat,
        node("Reshape", ["cat", "shape"], ["f"]),
        node("Transpose", ["f"], ["y"], { perm: [0, 2, 1] }),
      ],
      [["y", 3]],
      [integers("shape", [0, 8, 36])],
    ),
  "Concat of a Concat": () =>
    heads([cat, node("Concat", ["cat", "r"], ["y"], { axis: 1 })], [["y", 4]]),
  "stacked tensors": () =>
    heads(
      [
        node("Unsqueeze", ["box", "one"], ["b1"]),
        node("Unsqueeze", ["sc", "one"], ["s1"]),
        node("Concat", ["b1", "s1"], ["y"], { axis: 1 }),
      ],
      [["y", 5]],
      [integers("one", [1])],
    ),
  "Concat, split again": () =>
    heads(
      [
        cat,
        node("Split", ["cat", "sizes"], ["b2", "s2"], { axis: 1 }),
        node("Mul", ["b2", "two"], ["y"]),
        node("Mul", ["s2", "two"], ["z"]),
      ],
      [["y", 4], ["z", 4]],
      [integers("sizes", [4, 4]), makeTensor("two", [], Float32Array.of(2))],
    ),
  "Concat before a Conv": () =>
    heads([cat, node("Conv", ["cat", "wz"], ["y"])], [["y", 4]], [reader]),
};

for (const [name, make] of Object.entries(HEADS)) {
  for (const preset of TARGET_NAMES) {
    Deno.test(`no source of a join loses its steps: ${name}, ${preset}`, async () => {
      const architecture = make();
      const { model: file } = await quantizeArchitecture(architecture, preset, withSmallLayers);
      const slices = new Map<string, { reference: number[]; found: number[] }>();
      for (const { input } of samplesFor(architecture, 4)) {
        const feeds = { x: { data: input.data, dims: architecture.input } };
        const expected = await runModel(architecture.model, feeds);
        const actual = await runModel(readModel(file, name), feeds);
        for (const [output, { data, dims }] of expected) {
          const axis = name.includes("Transpose") ? 2 : 1;
          const stride = dims.slice(axis + 1).reduce((a, b) => a * b, 1);
          data.forEach((x, i) => {
            const key = `${output} ${Math.floor(i / stride) % dims[axis]}`;
            const slice = slices.get(key) ?? { reference: [], found: [] };
            slice.reference.push(x);
            slice.found.push(actual.get(output)!.data[i]);
            slices.set(key, slice);
          });
        }
      }
      for (const [key, { reference, found }] of slices) {
        const decibels = sqnr(Float32Array.from(reference), Float32Array.from(found));
        assert.ok(decibels > 20, `${key}: ${decibels} dB`);
      }
    });
  }
}

/** Two maps whose ranges differ by a factor, or a Sigmoid beside a map, on one grid for tflite, before a Conv. */
function joined(first: "Sigmoid" | "map", factor: number): Architecture {
  return {
    input: [1, 3, 6, 6],
    model: model({
      nodes: [
        ...(first === "Sigmoid"
          ? [node("Conv", ["x", "wa"], ["a0"]), node("Sigmoid", ["a0"], ["a"])]
          : [node("Conv", ["x", "wa"], ["a"])]),
        node("Conv", ["x", "wb"], ["b"]),
        node("Concat", ["a", "b"], ["c"], { axis: 1 }),
        node("Conv", ["c", "wz"], ["y"]),
        node("Conv", ["a", "wb2"], ["z"]),
      ],
      inputs: [value("x", ["N", 3, 6, 6])],
      outputs: [value("y", ["N", 4, 6, 6]), value("z", ["N", 4, 6, 6])],
      initializers: [
        makeTensor("wa", [4, 3, 1, 1], floats(12, random)),
        makeTensor("wb", [4, 3, 1, 1], floats(12, random).map((w) => w * factor)),
        makeTensor("wz", [4, 8, 1, 1], floats(32, random)),
        makeTensor("wb2", [4, 4, 1, 1], floats(16, random)),
      ],
    }),
  };
}

Deno.test("tflite: a fixed range doesn't become that of its neighbours in a Concat", async () => {
  const { manifest } = await quantizeArchitecture(joined("Sigmoid", 1), "tflite");
  const entry = (name: string) => manifest.activations.find(({ tensor }) => tensor === name)!;
  assert.equal(entry("a").scale, 1 / 256);
  assert.ok(entry("b").threshold > 3);
  assert.ok(entry("c").threshold >= entry("b").threshold * 0.9);
  assert.equal(entry("c").sameAs, "b", "one grid with what can have it");
});

Deno.test("tflite: a narrow source of a Concat keeps its grid, and one as wide as the others shares theirs", async () => {
  const scale = async (factor: number) => {
    const { manifest } = await quantizeArchitecture(joined("map", factor), "tflite");
    return new Map(manifest.activations.map((entry) => [entry.tensor, entry.scale]));
  };
  const [equal, wide] = [await scale(1), await scale(8)];
  assert.equal(equal.get("a"), equal.get("c"));
  assert.equal(wide.get("b"), wide.get("c"));
  assert.ok(wide.get("a")! < wide.get("c")! / 3);
});

Deno.test("resolve() leaves a join float that only outputs read, and says why", () => {
  const { model: { graph } } = HEADS["Concat, Reshape and Transpose before an output"]();
  const { float } = resolve(outlineGraph(graph), withSmallLayers(presetTarget("onnxruntime")!));
  assert.deepEqual(float.map(({ op, reason }) => [op, reason]), [
    // Its kernel of integers would cost a quantizer before a float Concat.
    ["Sigmoid", "on integers it would take as many quantizers or more, and save no time"],
    ["Concat", "only outputs and float operators read what it joins"],
  ]);
});
