/** LSTM and GRU: weights in int8, whatever the layer is written with, on both runtimes at every level. */
import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import {
  AttributeProto_AttributeType,
  AttributeProtoSchema,
  type NodeProto,
} from "../../../onnx/file/onnx_pb.ts";
import { withFields, writeModel } from "../../../onnx/file/model.ts";
import { makeTensor } from "../../../onnx/file/tensor.ts";
import { makeNode } from "../../../onnx/graph/node.ts";
import type { Architecture } from "../../support/architectures.ts";
import { decibelsAtLevels, operatorsOf } from "../../support/every_level.ts";
import { model, value } from "../../support/onnx.ts";
import { feedsFor, quantizeWished } from "../../support/quantize_wished.ts";
import { floats, gaussian } from "../../support/random.ts";

const STEPS = 7;
const BATCH = 2;
const INPUTS = 24;
const HIDDEN = 32;

interface Written {
  readonly op: "LSTM" | "GRU";
  readonly attributes?: Record<string, string | number>;
  /** Names of activations, a list of strings. */
  readonly activations?: readonly string[];
  readonly clip?: number;
  /** Lengths, initial states and peepholes. */
  readonly hasAll?: boolean;
}

/** One layer, whose weights are as large as trained ones, and sums of two outputs behind it. */
function network({ op, attributes = {}, activations, clip, hasAll }: Written): Architecture {
  const random = gaussian(11);
  const directions = attributes.direction === "bidirectional" ? 2 : 1;
  const gates = op === "LSTM" ? 4 : 3;
  const isBatchFirst = attributes.layout === 1;
  const scaled = (...dims: number[]) => {
    const size = dims.reduce((a, b) => a * b, 1);
    return floats(size, random).map((x) => x / Math.sqrt(HIDDEN));
  };
  const tensor = (name: string, ...dims: number[]) => makeTensor(name, dims, scaled(...dims));
  const inputs = [isBatchFirst ? "x" : "t", "w", "r", "b"];
  const initializers = [
    tensor("w", directions, gates * HIDDEN, INPUTS),
    tensor("r", directions, gates * HIDDEN, HIDDEN),
    tensor("b", directions, 2 * gates * HIDDEN),
  ];
  if (hasAll) {
    inputs.push("lengths", "h0");
    initializers.push(
      makeTensor("lengths", [BATCH], Int32Array.of(STEPS, STEPS - 3)),
      tensor("h0", directions, BATCH, HIDDEN),
    );
    if (op === "LSTM") {
      inputs.push("c0", "p");
      initializers.push(
        tensor("c0", directions, BATCH, HIDDEN),
        tensor("p", directions, 3 * HIDDEN),
      );
    }
  }
  const written = { hidden_size: HIDDEN, ...attributes };
  const plain = makeNode(op, "layer", inputs, ["y", "last"], written);
  const layer: NodeProto = withFields(plain, {
    attribute: [
      ...plain.attribute,
      ...(activations === undefined ? [] : [create(AttributeProtoSchema, {
        name: "activations",
        type: AttributeProto_AttributeType.STRINGS,
        strings: activations.map((text) => new TextEncoder().encode(text)),
      })]),
      ...(clip === undefined ? [] : [create(AttributeProtoSchema, {
        name: "clip",
        type: AttributeProto_AttributeType.FLOAT,
        f: clip,
      })]),
    ],
  });
  const input = [BATCH, STEPS, INPUTS];
  const turn = makeNode("Transpose", "turn", ["x"], ["t"], { perm: [1, 0, 2] });
  return {
    input,
    model: model({
      nodes: isBatchFirst ? [layer] : [turn, layer],
      inputs: [value("x", input)],
      outputs: [value("y", ["a", "b", "c", "d"]), value("last", ["e", "f", "g"])],
      initializers,
    }),
  };
}

const BIDIRECTIONAL = { direction: "bidirectional" };
const CASES: Readonly<Record<string, Written & { readonly kernel: string }>> = {
  "an LSTM that nobody wants dynamic": { op: "LSTM", kernel: "LSTM" },
  "a plain LSTM": { op: "LSTM", kernel: "DynamicQuantizeLSTM" },
  "an LSTM both ways with lengths, states and peepholes": {
    op: "LSTM",
    attributes: BIDIRECTIONAL,
    hasAll: true,
    kernel: "DynamicQuantizeLSTM",
  },
  "a reversed LSTM with other activations, and clipped": {
    op: "LSTM",
    attributes: { direction: "reverse" },
    activations: ["Sigmoid", "Relu", "Tanh"],
    clip: 0.75,
    kernel: "DynamicQuantizeLSTM",
  },
  "a GRU": { op: "GRU", kernel: "GRU" },
  "a GRU both ways, reset before, with lengths and states": {
    op: "GRU",
    attributes: { ...BIDIRECTIONAL, linear_before_reset: 1 },
    hasAll: true,
    kernel: "GRU",
  },
};

for (const [name, { kernel, ...written }] of Object.entries(CASES)) {
  for (const activation of ["static", "dynamic"] as const) {
    Deno.test(`${name} has weights in int8, ${activation}: as good at every level`, async () => {
      const architecture = network(written);
      const { model: file, manifest } = await quantizeWished(architecture, {
        target: "onnxruntime",
        activation,
        ...(kernel === "DynamicQuantizeLSTM"
          ? { overrides: [{ match: { operator: "LSTM" }, compute: "dynamic" as const }] }
          : {}),
      });
      assert.ok(operatorsOf(file).includes(kernel));
      const size = writeModel(architecture.model).length;
      assert.ok(file.length < 0.45 * size, `${file.length} of ${size} bytes`);
      const named = [
        ...(manifest.recurrent ?? []).flatMap(({ weights }) => weights),
        ...(manifest.stored ?? []).map(({ tensor }) => tensor),
      ];
      assert.deepEqual(named.toSorted(), ["r", "w"]);
      const found = await decibelsAtLevels(architecture.model, file, feedsFor(architecture, 3));
      assert.equal(found.size, 16);
      const least = kernel === "DynamicQuantizeLSTM" ? 30 : 38;
      for (const [key, decibels] of found) assert.ok(decibels > least, `${key}: ${decibels} dB`);
    });
  }
}

Deno.test("an LSTM with the batch first keeps its kernel, and its weights are stored in int8", async () => {
  const architecture = network({ op: "LSTM", attributes: { layout: 1 } });
  const { outlineGraph } = await import("../../../onnx/graph/outline.ts");
  const { resolve } = await import("../../../tpc/placement/resolve.ts");
  const { presetTarget } = await import("../../../tpc/targets/read_target.ts");
  const outline = outlineGraph(architecture.model.graph);
  const preset = presetTarget("onnxruntime")!;
  const operatorSets = preset.operatorSets.map((set) =>
    set.operators.includes("LSTM") ? { ...set, recurrent: "dynamic" as const } : set
  );
  const { recurrent, stored } = resolve(outline, { ...preset, operatorSets });
  assert.deepEqual([recurrent, stored.map(({ tensor }) => tensor)], [[], ["w", "r"]]);
  assert.match(stored[0].reason, /layout 1/);
});

Deno.test("weights that two layers share are stored once; what else reads them keeps them float", async () => {
  const { outlineGraph } = await import("../../../onnx/graph/outline.ts");
  const { resolve } = await import("../../../tpc/placement/resolve.ts");
  const { presetTarget } = await import("../../../tpc/targets/read_target.ts");
  const target = presetTarget("onnxruntime")!;
  const { model: { graph } } = network({ op: "GRU" });
  const twice = withFields(graph, {
    node: [
      ...graph.node,
      makeNode("GRU", "second", ["t", "w", "r", "b"], ["z"], { hidden_size: HIDDEN }),
    ],
  });
  assert.equal(resolve(outlineGraph(twice), target).stored.length, 2);
  const read = withFields(graph, {
    node: [...graph.node, makeNode("Abs", "other", ["w"], ["z"])],
  });
  assert.deepEqual(resolve(outlineGraph(read), target).stored.map(({ tensor }) => tensor), ["r"]);
});
