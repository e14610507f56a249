/** Models: what is read, prepared, outlined, placed and shown of them; and the whole way with inference. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { PlimsollError } from "../../../core/errors.ts";
import { type ModelProto, ModelProtoSchema } from "../../../onnx/file/onnx_pb.ts";
import { readModelWithData } from "../../../onnx/file/external_data.ts";
import { readModel } from "../../../onnx/file/model.ts";
import { quantizedNodes } from "../../../onnx/quantized/codes.ts";
import { modelInputs } from "../../../pipeline/inference/model_inputs.ts";
import { listLayers } from "../../../pipeline/inspect/layers.ts";
import { listQuantizedLayers } from "../../../pipeline/inspect/quantized_layers.ts";
import { readFloatModel, serialiseFor } from "../../../pipeline/quantize/float_model.ts";
import { loadFloatModel, quantize } from "../../../pipeline/quantize/quantize.ts";
import { layerReport, quantizedReport } from "../../../pipeline/report/layers.ts";
import { reportPage } from "../../../pipeline/report/page/render.ts";
import { impliedPreprocessing } from "../../../pipeline/source/implied_preprocessing.ts";
import { readPlim } from "../../../pipeline/statistics/plim.ts";
import { resolveRecipe } from "../../../tpc/recipe/recipe.ts";
import { rewritesFor } from "../../../tpc/targets/rewrites_for.ts";
import { presetTarget, TARGET_NAMES } from "../../../tpc/targets/read_target.ts";
import { writeModel } from "../../../onnx/file/model.ts";
import { Chance } from "../chance.ts";
import type { Kind, Kinds } from "../kind.ts";
import { mutateBytes, mutateMessage } from "../mutate.ts";
import {
  floatModels,
  quantized,
  samplesFor,
  samplesOf,
  transforming,
  withExternalData,
} from "../seeds.ts";
import type { Samples } from "../../../pipeline/source/samples.ts";

/** Constants aren't computed, which takes a runtime. */
const refuse = () =>
  Promise.reject(
    new PlimsollError("model", { action: "a", wanted: "b", found: "c", remedy: "d" }),
  );

/** Parts of a model taken out one after the other. */
function* smallerModels(bytes: Uint8Array): Iterable<Uint8Array> {
  let model: ModelProto;
  try {
    model = fromBinary(ModelProtoSchema, bytes);
  } catch {
    return;
  }
  const { graph } = model;
  if (graph === undefined) return;
  const write = (changed: Partial<typeof graph>) => {
    const part = Object.assign(create(ModelProtoSchema), model, {
      graph: Object.assign(Object.create(Object.getPrototypeOf(graph)), graph, changed),
    });
    return toBinary(ModelProtoSchema, part);
  };
  for (const list of ["node", "initializer", "valueInfo", "output", "input"] as const) {
    const entries = graph[list] as unknown[];
    for (let i = 0; i < entries.length; i++) {
      yield write({ [list]: entries.filter((_, j) => j !== i) });
    }
  }
  for (const [i, node] of graph.node.entries()) {
    for (let j = 0; j < node.attribute.length; j++) {
      const attribute = node.attribute.filter((_, k) => k !== j);
      const changed = Object.assign(Object.create(Object.getPrototypeOf(node)), node, {
        attribute,
      });
      yield write({ node: graph.node.with(i, changed) });
    }
  }
}

function makerOf(seeds: readonly Uint8Array[]) {
  const messages = seeds.map((seed) => fromBinary(ModelProtoSchema, seed));
  return (chance: Chance) => {
    const i = chance.below(seeds.length);
    return chance.happens(0.85)
      ? mutateMessage(chance, ModelProtoSchema, messages[i])
      : mutateBytes(chance, seeds[i]);
  };
}

async function look(bytes: Uint8Array): Promise<void> {
  // The same bytes choose the same target.
  const chance = new Chance(bytes.length, bytes[bytes.length >> 1] ?? 0);
  const target = presetTarget(chance.pick(TARGET_NAMES))!;
  const raw = readModel(bytes, "m");
  impliedPreprocessing(modelInputs(raw.graph));
  if (quantizedNodes(raw.graph).length > 0) {
    quantizedReport(listQuantizedLayers(raw), {});
    await readFloatModel(bytes, "m", refuse, { quantized: "dequantize" }).then(
      ({ prepared }) => listLayers(prepared, target),
    );
  }
  const float = await readFloatModel(bytes, "m", refuse, {
    quantized: "keep",
    rewrites: rewritesFor(target),
  });
  layerReport({ layers: listLayers(float.prepared, target).layers }, {});
  serialiseFor(float, float.prepared);
}

/** Kinds of models. */
export const MODELS: Kinds = {
  onnx: (): Kind => ({
    ending: "onnx",
    make: makerOf(floatModels()),
    run: look,
    smaller: smallerModels,
  }),
  "onnx-quantized": async (): Promise<Kind> => ({
    ending: "onnx",
    make: makerOf([
      (await quantized()).model,
      (await quantized({ target: "default" })).model,
      (await quantized({ target: "tflite" })).model,
    ]),
    run: look,
    smaller: smallerModels,
  }),
  "onnx-external": (): Kind => ({
    ending: "onnx",
    make: makerOf([writeModel(withExternalData())]),
    run: async (bytes) => {
      const data = new Uint8Array(4096);
      const read = (location: string, offset: number, length: number) => {
        if (location === "ext.data" && offset + length <= data.length) {
          return Promise.resolve(data.subarray(offset, offset + length));
        }
        return refuse();
      };
      await readModelWithData(bytes, "m", read);
      await readFloatModel(bytes, "m", refuse, { readBeside: read });
    },
    smaller: smallerModels,
  }),
  // Constants that nodes compute.
  constants: (): Kind => ({
    ending: "onnx",
    isSlow: true,
    make: makerOf([writeModel(transforming(true))]),
    run: async (bytes) => {
      const { prepared } = await loadFloatModel(bytes, "m");
      listLayers(prepared, presetTarget("onnxruntime")!);
    },
    smaller: smallerModels,
  }),
  // With the runtime: constants computed, samples run, thresholds, the quantized model and its report.
  pipeline: (): Kind => ({
    ending: "onnx",
    isSlow: true,
    make: makerOf([...floatModels(), writeModel(transforming(true))]),
    run: async (bytes) => {
      const chance = new Chance(bytes.length, bytes[bytes.length >> 1] ?? 0);
      const inputs = readModel(bytes, "m").graph.input;
      const samples = inputs.some(({ name }) => name === "ids")
        ? samplesFor("assorted", 2)
        : (inputs[0] && modelInputs(readModel(bytes, "m").graph)[0]?.shape?.length === 2)
        ? samplesFor("transforming", 2)
        : samplesOf(2);
      const recipe = {
        target: chance.pick(TARGET_NAMES),
        ...(chance.happens(0.3)
          ? { error: chance.pick(["kl", "mae", "octav", "auto"] as const) }
          : {}),
      };
      const float = await loadFloatModel(bytes, "m", {
        rewrites: rewritesFor(resolveRecipe(recipe).target),
      });
      const { manifest, statistics } = await quantize(float, samples as Samples, recipe);
      reportPage({ title: "t", manifest, statistics: await readPlim(statistics, "s") });
    },
    smaller: smallerModels,
  }),
};
