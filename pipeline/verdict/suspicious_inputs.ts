/**
 * Inputs that aren't what a network was trained on, as far as its first layers and the statistics show it.
 *
 * @module
 */
import { own } from "../../core/own.ts";
import { option } from "../../core/option_words.ts";
import type { NodeProto } from "../../onnx/file/onnx_pb.ts";
import { type GraphIndex, indexGraph } from "../../onnx/graph/graph_index.ts";
import { floatData } from "../../onnx/file/tensor.ts";
import type { Model } from "../../onnx/file/model.ts";
import { channelMeans } from "../statistics/channel_sums.ts";
import type { Statistics } from "../statistics/statistics.ts";

/** Standard deviations by which the output of the first layer may be off what its BatchNormalization expects. */
const FAR = 5;
/** The largest value of a pixel that nobody scaled. */
const PIXEL = 255;
/** Channels that images have. */
const CHANNELS: readonly (number | null)[] = [1, 3, 4];
/** Operators that hand on the means of channels. */
const PASSING = ["Cast", "Identity", "Transpose", "Pad"];
/** Operators that do to the means of channels what they do to the channels, their constants being second. */
const AFFINE: Record<string, (mean: number, constant: number) => number> = {
  Add: (mean, constant) => mean + constant,
  Sub: (mean, constant) => mean - constant,
  Mul: (mean, constant) => mean * constant,
  Div: (mean, constant) => mean / constant,
};

/** Notes on the inputs of a model, a sentence each. */
export function notesOnInputs(model: Model, statistics: Statistics): string[] {
  return [
    ...constantInputs(model, statistics),
    ...farFromTraining(model, statistics) ?? unscaledPixels(model, statistics),
  ];
}

/** Inputs of several elements that all have one value, zero apart. Single numbers, such as rates, may. */
function constantInputs({ graph }: Model, { tensors }: Statistics): string[] {
  const inputs = new Set(graph.input.map(({ name }) => name));
  return tensors.flatMap(({ tensor, shape, histogram: { finite, min, max } }) => {
    const elements = (shape ?? [null]).reduce((product: number, size) => product * (size ?? 2), 1);
    const isOdd = inputs.has(tensor) && elements > 1 && finite > 1 && min === max && max !== 0;
    return isOdd
      ? [`Input ${tensor} is ${max} everywhere in the calibration samples: thresholds mean nothing`]
      : [];
  });
}

/**
 * The output of a first convolution or product has, on what it was trained on, about the mean that its
 * BatchNormalization subtracts. E of an output channel is the sum of its weights times the mean of each input channel,
 * but for borders.
 *
 * @returns Undefined where no such layer could be judged.
 */
function farFromTraining({ graph }: Model, { channels }: Statistics): string[] | undefined {
  const index = indexGraph(graph);
  const inputs = new Set(graph.input.map(({ name }) => name));
  for (const node of graph.node) {
    const offset = offsetOf(node, index, inputs, channels);
    if (offset === undefined) continue;
    if (offset <= FAR) return [];
    return [
      `The first ${node.opType === "Conv" ? "convolution" : "layer"} gives values ${
        offset.toFixed(0)
      } standard deviations from what its ` +
      `BatchNormalization was trained on: check ${option("mean")}, ${option("std")} and ${
        option("preprocess")
      }`,
    ];
  }
  return undefined;
}

/** Median distance of a first layer's channels from their BatchNormalization, in standard deviations. */
function offsetOf(
  node: NodeProto,
  index: GraphIndex,
  inputs: ReadonlySet<string>,
  channels: Statistics["channels"],
): number | undefined {
  if (node.opType !== "Conv") return undefined;
  const [reader] = index.consumers.get(node.output[0]) ?? [];
  if (reader?.opType !== "BatchNormalization") return undefined;
  const constants = [node.input[1], node.input[2], reader.input[3], reader.input[4]].map(
    (name) => {
      const tensor = name === undefined ? undefined : index.initializers.get(name);
      return tensor && floatData(tensor);
    },
  );
  const [weights, bias, mean, variance] = constants;
  const means = meansOf(node.input[0], index, inputs, channels);
  if (!weights || !mean || !variance || means === undefined) return undefined;
  const each = weights.length / mean.length;
  const perInput = each / means.length;
  if (!Number.isInteger(perInput)) return undefined;
  const off = Array.from(mean, (expected, c) => {
    let found = bias?.[c] ?? 0;
    for (let i = 0; i < each; i++) {
      found += weights[c * each + i] * means[Math.floor(i / perInput)];
    }
    return Math.abs(found - expected) / Math.sqrt(variance[c] + 1e-12);
  }).sort((a, b) => a - b);
  return off[Math.floor(off.length / 2)];
}

/**
 * Means of the channels of a tensor that is an input, or what simple operators make of one. Preparation folds such
 * operators into the layer, so that sums may be known of what they read alone.
 */
function meansOf(
  tensor: string,
  index: GraphIndex,
  inputs: ReadonlySet<string>,
  channels: Statistics["channels"],
): readonly number[] | undefined {
  const sums = channels.find((entry) => entry.tensor === tensor);
  const known = sums && readsInput(tensor, index, inputs) ? channelMeans(sums) : undefined;
  if (known !== undefined) return [...known];
  const node = index.producers.get(tensor);
  if (node === undefined) return undefined;
  const before = meansOf(node.input[0], index, inputs, channels);
  if (before === undefined || PASSING.includes(node.opType)) return before;
  const apply = own(AFFINE, node.opType);
  const constant = index.initializers.get(node.input[1] ?? "");
  const values = constant && floatData(constant);
  if (apply === undefined || values === undefined) return undefined;
  if (values.length !== 1 && values.length !== before.length) return undefined;
  return before.map((mean, c) => apply(mean, values[values.length === 1 ? 0 : c]));
}

/** Whether a tensor is an input, or what simple operators make of one. */
function readsInput(tensor: string, index: GraphIndex, inputs: ReadonlySet<string>): boolean {
  let current = tensor;
  for (;;) {
    if (inputs.has(current)) return true;
    const node = index.producers.get(current);
    if (node === undefined) return false;
    if (!PASSING.includes(node.opType) && !Object.hasOwn(AFFINE, node.opType)) return false;
    [current] = node.input;
  }
}

/**
 * Pixels of 0 to 255 that a convolution takes as they are: most networks were trained on scaled ones, and scale them in
 * the graph where they weren't. Nothing in the graph tells, so that it is a question.
 */
function unscaledPixels({ graph }: Model, { tensors }: Statistics): string[] {
  const index = indexGraph(graph);
  const inputs = new Set(graph.input.map(({ name }) => name));
  return tensors.flatMap(({ tensor, shape, histogram: { min, max } }) => {
    const readers = index.consumers.get(tensor) ?? [];
    const isImage = shape?.length === 4 && shape !== null &&
      (CHANNELS.includes(shape[1]) || CHANNELS.includes(shape[3]));
    const isOdd = inputs.has(tensor) && isImage && min === 0 && max === PIXEL &&
      readers.some(({ opType }) => opType === "Conv" || opType === "Transpose");
    return isOdd
      ? [
        `Input ${tensor} holds values of 0 to ${PIXEL}, as pixels that nobody scaled: if the model was trained on ` +
        `scaled ones, give images with ${option("scale")}, ${option("mean")} and ${
          option("std")
        }, ` +
        `or arrays that are scaled`,
      ]
      : [];
  });
}
