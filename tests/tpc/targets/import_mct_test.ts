/** Import of MCT's platforms, on dumps of its own; golden/mct/README.md says where they come from. */
import assert from "node:assert/strict";
import { importMctTarget } from "../../../tpc/targets/import_mct.ts";
import { readModel } from "../../../onnx/file/model.ts";
import { outlineGraph } from "../../../onnx/graph/outline.ts";
import { makeTensor } from "../../../onnx/file/tensor.ts";
import { parseTarget, presetTarget, readTarget } from "../../../tpc/targets/read_target.ts";
import { resolve } from "../../../tpc/placement/resolve.ts";
import type { Target } from "../../../tpc/targets/target.ts";
import { ARCHITECTURES } from "../../support/architectures.ts";
import { model, node, value } from "../../support/onnx.ts";
import { quantizeArchitecture, samplesFor, sqnr } from "../../support/quantize_architecture.ts";
import { runModel } from "../../support/run_model.ts";

const FOLDER = "tests/tpc/golden/mct";
const files = Array.from(Deno.readDirSync(FOLDER), ({ name }) => name)
  .filter((name) => name.endsWith(".json")).sort();
const load = (file: string) => JSON.parse(Deno.readTextFileSync(`${FOLDER}/${file}`));
const import_ = (file: string) => readTarget(load(file), file);

/** The set of a target that holds an operator. */
function setOf(target: Target, op: string) {
  return target.operatorSets.find(({ operators }) => operators.includes(op));
}

for (const file of files) {
  Deno.test(`${file} imports, as the target that it is again when it is read`, () => {
    const { target, notes } = import_(file);
    assert.deepEqual(parseTarget(JSON.parse(JSON.stringify(target)), file), target);
    assert.equal(new Set(notes).size, notes.length);
    for (const note of notes) assert.match(note, /^[\w.,*[\]{} ]+ = .+: .+$/s);
  });
}

Deno.test("v1 and v2 of the same platform import alike", () => {
  for (const platform of ["imx500-1", "qnnpack-1"]) {
    const [one, two] = [1, 2].map((version) => import_(`${platform}.v${version}.json`).target);
    assert.deepEqual(one.operatorSets, two.operatorSets);
    assert.deepEqual(one.fusing, two.fusing);
    assert.deepEqual(one.allowed, two.allowed);
  }
});

Deno.test("imx500 version 4: bits, constants, preserving operators", () => {
  const { target } = import_("imx500-4.v2.json");
  assert.deepEqual(target.activation, { bits: 8, constraint: "pot", signed: "auto", error: "mse" });
  assert.deepEqual(target.weight, {
    ...{ bits: 8, constraint: "symmetric", granularity: "channel", error: "mse", clip: false },
  });
  assert.deepEqual(target.allowed, presetTarget("imx500")!.allowed);
  assert.equal(setOf(target, "Mul")?.constants, "quantized");
  assert.equal(setOf(target, "AddBias")?.constants, undefined);
  for (const op of ["MaxPool", "Reshape", "Slice", "Gather"]) {
    assert.equal(setOf(target, op)?.use, "preserving", op);
  }
  assert.equal(setOf(target, "ArgMax")?.use, "float");
  assert.equal(setOf(target, "Softmax")?.output?.fixedRange, true);
});

Deno.test("tflite: affine convolutions, FC per tensor, fixed grids where they hold the range", () => {
  const { target, notes } = import_("tflite-1.v2.json");
  assert.equal(target.storage.activation, "int8");
  assert.equal(setOf(target, "Conv")?.output?.constraint, "uniform");
  assert.equal(setOf(target, "Gemm")?.weight?.granularity, "tensor");
  const grid = (op: string) => setOf(target, op)?.output?.fixedGrid;
  assert.deepEqual(grid("Softmax"), { scale: 1 / 256, zeroPoint: -128 });
  assert.deepEqual(grid("LpNormalization"), { scale: 1 / 128, zeroPoint: 0 });
  assert.deepEqual(grid("LogSoftmax"), { scale: 16 / 256, zeroPoint: 127 });
  // MCT gives Tanh the grid of Softmax, which has no negative values.
  assert.equal(grid("Tanh"), undefined);
  assert.equal(setOf(target, "Tanh")?.output?.fixedRange, true);
  assert.ok(notes.some((note) => note.includes("Tanh gives -1 to 1")), notes.join("\n"));
  assert.equal(setOf(target, "Concat")?.inputs, "same");
  assert.equal(setOf(target, "AveragePool")?.use, "preserving");
  assert.equal(setOf(target, "Mul")?.use, "quantized");
});

Deno.test("tflite of MCT 2.3 has no config for convolutions: they stay float", () => {
  const { target } = import_("tflite-1.v1.json");
  assert.equal(setOf(target, "Conv")?.use, "float");
});

Deno.test("qnnpack: MCT attaches no weight quantizer, so the import leaves convolutions float", () => {
  const { target } = import_("qnnpack-1.v2.json");
  const set = setOf(target, "Conv");
  assert.equal(set?.use, "float");
  assert.match(set?.reason ?? "", /doesn't quantize its weights/);
});

Deno.test("look-up tables become uniform grids, with a note", () => {
  const { target, notes } = import_("imx500-1-lut.v1.json");
  assert.deepEqual(target.allowed?.weight, { bits: [2, 4, 8], constraint: ["symmetric"] });
  assert.ok(notes.some((note) => note.includes('kernel_attr.weights_quantization_method":4')));
});

/** A small network with what the default platform fuses, preserves and leaves float. */
function network() {
  const w = (name: string, ...dims: number[]) =>
    makeTensor(name, dims, new Float32Array(dims.reduce((a, b) => a * b)).fill(0.1));
  const { graph } = model({
    inputs: [value("x", ["N", 2, 8, 8])],
    outputs: [value("y", ["N", 4]), value("index", ["N", 1], 7)],
    nodes: [
      node("Conv", ["x", "w", "b"], ["c1"], { kernel_shape: [1, 1] }),
      node("Clip", ["c1", "zero", "six"], ["r1"]),
      node("Conv", ["r1", "dw"], ["c2"], { kernel_shape: [1, 1], group: 2 }),
      node("Sigmoid", ["c2"], ["s"]),
      node("Mul", ["c2", "s"], ["silu"]),
      node("Add", ["silu", "r1"], ["sum"]),
      node("Relu", ["sum"], ["r2"]),
      node("Mul", ["r2", "b2"], ["r3"]),
      node("Max", ["r3", "b2"], ["r4"]),
      node("Concat", ["r4", "joined"], ["r5"], { axis: 1 }),
      node("MaxPool", ["r5"], ["p"], { kernel_shape: [2, 2] }),
      node("Concat", ["p", "p"], ["cat"], { axis: 1 }),
      node("GlobalAveragePool", ["cat"], ["g"]),
      node("Flatten", ["g"], ["f"]),
      node("MatMul", ["f", "fc"], ["m"]),
      node("Add", ["m", "fb"], ["mb"]),
      node("Relu", ["mb"], ["h"]),
      node("Softmax", ["h"], ["y"], { axis: 1 }),
      node("ArgMax", ["y"], ["index"], { axis: 1 }),
    ],
    initializers: [
      ...[w("w", 2, 2, 1, 1), w("b", 2), w("dw", 2, 1, 1, 1), w("fc", 8, 4), w("fb", 4)],
      ...[w("b2", 1, 2, 1, 1), w("joined", 1, 2, 8, 8)],
      ...[makeTensor("zero", [], Float32Array.of(0)), makeTensor("six", [], Float32Array.of(6))],
    ],
  });
  return outlineGraph(graph);
}

for (
  const [file, preset] of [
    ["imx500-1.v1.json", "default"],
    ["imx500-1.v2.json", "default"],
    ["imx500-4.v2.json", "imx500"],
  ]
) {
  Deno.test(`${file} places a network as preset ${preset} does`, () => {
    const { target } = import_(file);
    const own = resolve(network(), presetTarget(preset)!);
    const imported = resolve(network(), target);
    assert.ok(own.activations.some(({ fused }) => fused.length > 0));
    assert.deepEqual(imported.activations, own.activations);
    assert.deepEqual(imported.weights, own.weights);
    assert.deepEqual(imported.float.map(({ node }) => node), own.float.map(({ node }) => node));
  });
}

for (const file of files) {
  Deno.test(`a model quantized for ${file} runs, close to float`, async () => {
    const architecture = ARCHITECTURES["squeeze and excite with SiLU"]();
    const { target } = import_(file);
    const result = await quantizeArchitecture(architecture, "default", () => target);
    const [{ input: { data } }] = samplesFor(architecture, 1);
    const feeds = { x: { data, dims: architecture.input } };
    const float = (await runModel(architecture.model, feeds)).get("y")!.data;
    const quantized = (await runModel(readModel(result.model, file), feeds)).get("y")!.data;
    const distance = sqnr(float, quantized);
    assert.ok(distance > 22, `${distance} dB`);
    // Platforms without a config for convolutions leave them float.
    const isFloat = /^(qnnpack|tflite-1\.v1)/.test(file);
    assert.equal(result.manifest.weights.length === 0, isFloat);
  });
}

/** Every leaf of a JSON value: its path, and the value with another leaf there. */
function* changes(root: unknown, path: (string | number)[] = []): Iterable<
  { path: (string | number)[]; leaf: unknown }
> {
  const at = path.reduce<unknown>((value, key) => (value as Record<string, unknown>)[key], root);
  if (typeof at === "object" && at !== null && Object.keys(at).length > 0) {
    for (const key of Object.keys(at)) {
      yield* changes(root, [...path, Array.isArray(at) ? Number(key) : key]);
    }
  } else yield { path, leaf: at };
}

/** Another value of the same kind. */
function other(leaf: unknown): unknown {
  switch (typeof leaf) {
    case "boolean":
      return !leaf;
    case "number":
      return leaf === 3 ? 2 : 3;
    case "string":
      return `${leaf}!`;
    default:
      return leaf === null ? 3 : leaf;
  }
}

/** Of the large platform every so many leaves only: all of them take a minute. */
const STRIDES: [string, number][] = [
  ["imx500-1.v1.json", 1],
  ["tflite-1.v2.json", 1],
  ["qnnpack-1.v2.json", 1],
  ["imx500-6.v2.json", 29],
];
for (const [file, stride] of STRIDES) {
  Deno.test(`every leaf of ${file} counts: changed, it changes the target or a note, or is an error`, () => {
    const source = load(file);
    const outcome = (value: unknown) => {
      try {
        return JSON.stringify(importMctTarget(value, file));
      } catch (error) {
        return `${error}`;
      }
    };
    const expected = outcome(source);
    const silent = [];
    let [number, count] = [0, 0];
    for (const { path, leaf } of changes(source)) {
      if (number++ % stride !== 0) continue;
      if (JSON.stringify(other(leaf)) === JSON.stringify(leaf)) continue; // {} and []
      count++;
      const copy = structuredClone(source);
      const parent = path.slice(0, -1).reduce((value, key) => value[key], copy);
      parent[path.at(-1)!] = other(leaf);
      if (outcome(copy) === expected) silent.push(path.join("."));
    }
    assert.ok(count > 100);
    assert.deepEqual(silent, []);
  });
}

Deno.test("unknown keys and wrong values are errors with their path", () => {
  const base = load("imx500-1.v2.json");
  const faults: [string, (value: typeof base) => void, RegExp][] = [
    ["at the top", (value) => value.surprise = 1, /the top level: .*surprise/],
    [
      "in a config",
      (value) => value.operator_set[0].qc_options.base_config.n_bits = 1,
      /operator_set\.0\.qc_options\.base_config: .*n_bits/,
    ],
    [
      "in a group",
      (value) => value.fusing_patterns[0].operator_groups[0].surprise = 1,
      /fusing_patterns\.0\.operator_groups\.0: .*surprise/,
    ],
    ["a version", (value) => value.SCHEMA_VERSION = 3, /SCHEMA_VERSION: 3 is neither 1 nor 2/],
    [
      "a key of version 2 in version 1",
      (value) => value.SCHEMA_VERSION = 1,
      /insert_preserving_quantizers/,
    ],
    [
      "a method",
      (value) => value.default_qco.base_config.activation_quantization_method = 9,
      /default_qco\.base_config\.activation_quantization_method/,
    ],
    [
      "two sets of one name",
      (value) => value.operator_set[1].name = value.operator_set[0].name,
      /two sets have one name/,
    ],
    [
      "a base that is no candidate",
      (value) => value.default_qco.base_config.activation_n_bits = 4,
      /default_qco\.base_config: is none of/,
    ],
  ];
  for (const [name, change, message] of faults) {
    const value = structuredClone(base);
    change(value);
    assert.throws(() => parseTarget(value, "platform.json"), message, name);
  }
});

/** Changes one set of the smallest platform. */
function withSet(name: string, changes: Record<string, unknown>, weight = {}) {
  const value = load("qnnpack-1.v2.json");
  const config = {
    ...value.default_qco.base_config,
    ...changes,
    default_weight_attr_config: {
      ...value.default_qco.base_config.default_weight_attr_config,
      ...weight,
    },
  };
  value.operator_set.push({
    name,
    type: "OperatorsSet",
    qc_options: { quantization_configurations: [config], base_config: config },
  });
  return importMctTarget(value, "p.json");
}

Deno.test("widths of 32 bits stay float, with a note", () => {
  const { target, notes } = withSet("Softmax", { activation_n_bits: 32 });
  assert.equal(setOf(target, "Softmax")?.use, "float");
  assert.ok(notes.some((note) => /\[Softmax\].*activation_n_bits = 32: .*stays float/.test(note)));
});

Deno.test("signedness and bits of a set become its output's", () => {
  const { target } = withSet("Elu", { activation_n_bits: 16, signedness: 1 });
  assert.deepEqual(setOf(target, "Elu")?.output, { bits: 16, signed: "yes" });
});

Deno.test("a set of the user's own is taken when it is named like the operator, else noted", () => {
  const { target } = withSet("LayerNormalization", { enable_activation_quantization: false });
  assert.equal(setOf(target, "LayerNormalization")?.use, "float");
  const { notes } = withSet("MyOperator", {});
  assert.ok(notes.some((note) => /operator_set\[MyOperator\].*no set of MCT's own/.test(note)));
});

Deno.test("depthwise convolutions of their own are those with groups", () => {
  const value = load("imx500-1.v2.json");
  const set = value.operator_set.find(({ name }: { name: string }) => name === "DepthwiseConv2D");
  const configs = [...set.qc_options.quantization_configurations, set.qc_options.base_config];
  for (const config of configs) config.activation_quantization_method = 2;
  const { target, notes } = importMctTarget(value, "p.json");
  const [plain, grouped] = target.operatorSets.filter(({ operators }) =>
    operators.includes("Conv")
  );
  assert.deepEqual(plain.where, { group: [1] });
  assert.deepEqual(grouped.output, { constraint: "symmetric" });
  assert.ok(notes.some((note) => note.includes("convolutions with groups")));
});
