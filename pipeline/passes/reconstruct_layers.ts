/**
 * Layer after layer, from front to back: the float model and the quantized one are run side by side, and each layer is
 * fitted to what the layers before it have made of its input.
 *
 *     for each layer:
 *       advance both models to it                 (sequential/walk.ts)
 *       codes and steps from second moments       (sequential/fit_layer.ts), with `weights`
 *       advance the quantized model through it
 *       bias by what is missing where it counts   (sequential/mean_error.ts)
 *     keep all that, if outputs on other samples are closer to float than before; else nothing
 *
 * Each node is computed twice for each sample, however many layers there are. Between layers the activations that later
 * ones need are kept, of as many samples as fit into {@linkcode BYTES}.
 *
 * @module
 */
import { decibels, ln } from "../../core/portable_math.ts";
import { type InputTensor, type Sample, sampleOf, type Tensor } from "../../core/tensor.ts";
import { mapStream } from "../../core/map_stream.ts";
import type { OnProgress } from "../../core/progress.ts";
import { editGraph } from "../../onnx/graph/edit_graph.ts";
import { type GraphIndex, indexGraph, onlyReader } from "../../onnx/graph/graph_index.ts";
import { floatAttribute, nodeName } from "../../onnx/graph/node.ts";
import { viewNode } from "../../onnx/graph/node_view.ts";
import { layerBias, type LinearLayer } from "../../onnx/layers/linear_layer.ts";
import { type Model, withFields } from "../../onnx/file/model.ts";
import { elementCount, makeTensor } from "../../onnx/file/tensor.ts";
import { BIAS_INPUT, clampRange } from "../../onnx/operators/operators.ts";
import { dequantizeCodes, quantizeWeights } from "../../onnx/quantized/quantize_weights.ts";
import type { WeightCodes } from "../../tpc/emission/insert_qdq.ts";
import { makeGridsVariable } from "../../tpc/emission/variable_grids.ts";
import { weightGrid } from "../../tpc/emission/weight_grid.ts";
import type { Manifest, ManifestWeight } from "../../tpc/manifest.ts";
import { createSession } from "../inference/default_runtime.ts";
import { tokenFitter } from "../inference/fit_tokens.ts";
import { modelInputs } from "../inference/infer.ts";
import type { Runtime } from "../inference/runtime.ts";
import { createGramProduct } from "../rounding/gram.ts";
import { layerPatches, type Patches } from "../rounding/patches.ts";
import { takesShift, withShift } from "../search/correct_bias.ts";
import { needsWiderSteps } from "../search/decide_weights.ts";
import { layerFinder } from "../search/layer_finder.ts";
import { fitLayer, layerMoments, type LayerRun, meanBiases } from "../sequential/fit_layer.ts";
import { type Bounds, MeanError } from "../sequential/mean_error.ts";
import { UnkeptTypeError, Walk } from "../sequential/walk.ts";
import type { Statistics } from "../statistics/statistics.ts";
import { gridFeeds, gridsOf, runsOf, type SampleRun } from "./grid_feeds.ts";
import { leastSamples } from "./least_samples.ts";
import { type Outputs, squaredError } from "./output_measure.ts";

/** What is fitted. */
export type Reconstructed = "bias" | "weights";

/** Samples that layers are fitted to, at most. */
const MOST_SAMPLES = 128;
/** Others that the result is judged by, at most; one in four where there are few. */
const JUDGED_SAMPLES = 64;
/** Fewer runs have no standard error worth the name. */
const LEAST_RUNS = 4;
/** Bytes of activations that are kept of both models, about. */
const BYTES = 3 * 2 ** 28;
/** Bytes that are kept for each element of the largest activation: float32 of two models, and smaller ones beside it. */
const KEPT = 2 * 4 * 1.15;

/** What {@linkcode reconstructLayers} starts from. */
export interface ReconstructionInput {
  /** The prepared float model. */
  readonly model: Model;
  /** With steps. */
  readonly manifest: Manifest;
  /** Codes of weights that aren't the nearest ones. */
  readonly codes?: WeightCodes;
  /** Those that the manifest was made from. */
  readonly statistics: Statistics;
  /** Those of the statistics, in any order. Consumed. */
  readonly samples: ReadableStream<Sample>;
  readonly what: Reconstructed;
}

/** What it finds. */
export interface Reconstruction {
  readonly manifest: Manifest;
  readonly codes: WeightCodes;
  /** What became of it, for the user. */
  readonly note: string;
}

/** A layer that is fitted. */
interface Place {
  readonly weight: ManifestWeight;
  readonly layer: LinearLayer;
  readonly patches: Patches;
  readonly bias: Float64Array;
  /** What the activation function behind it clips to. */
  readonly bounds: Bounds;
}

/** What a layer has become. */
interface Fitted {
  readonly codes?: Int16Array;
  readonly scales?: readonly number[];
  readonly bias: Float64Array;
}

/**
 * Fits all layers, and keeps the result where it is better on samples that nothing was fitted to. Deterministic: samples
 * are those of the least SHA-256.
 */
export async function reconstructLayers(
  { model, manifest, codes = new Map(), statistics, samples, what }: ReconstructionInput,
  { runtime, signal, onProgress }: {
    readonly runtime?: Runtime;
    readonly signal?: AbortSignal;
    readonly onProgress?: OnProgress;
  } = {},
): Promise<Reconstruction> {
  const unchanged = (note: string) => ({ manifest, codes, note });
  const places = findPlaces(model, manifest);
  if (places.length === 0) return unchanged("no layer can be fitted to the ones before it");
  const inputs = modelInputs(model.graph);
  const fitted = samples.pipeThrough(mapStream(tokenFitter(inputs)));
  const most = samplesThatFit(statistics);
  const kept = await leastSamples(fitted, most + JUDGED_SAMPLES, { signal });
  const judged = kept.slice(0, Math.min(JUDGED_SAMPLES, Math.ceil(kept.length / 4)));
  const own = await runsOf(kept.slice(judged.length), inputs);
  const others = await runsOf(judged, inputs);
  if (others.length < LEAST_RUNS) {
    return unchanged("too few samples to fit layers to the ones before them");
  }
  const names = new Set(places.map(({ weight }) => weight.node));
  const rest = { ...manifest, weights: manifest.weights.filter(({ node }) => !names.has(node)) };
  const variable = makeGridsVariable(model, rest, false, codes);
  const grids = gridsOf(manifest);
  const constants = gridFeeds(variable.inputs, grids);
  const feeds = own.map((run) => run.feeds);
  const float = new Walk(model, feeds, { runtime });
  const quantized = new Walk(variable.model, feeds, { constants, runtime });
  await using product = await createGramProduct(runtime);
  const found = new Map<ManifestWeight, Fitted>();
  try {
    for (const [done, place] of places.entries()) {
      signal?.throwIfAborted();
      found.set(place.weight, await fitPlace(place));
      onProgress?.({ stage: "layers", done: done + 1, total: places.length });
    }
  } catch (error) {
    if (error instanceof UnkeptTypeError) {
      return unchanged(`layers aren't fitted: ${error.message}`);
    }
    throw error;
  }
  const before = makeGridsVariable(model, manifest, false, codes);
  const reference = await outputsOf(model, others, new Map(), runtime);
  const was = await lossesOf(before.model, gridFeeds(before.inputs, grids));
  const is = await lossesOf(quantized.model, constants);
  const text = `${inDecibels(mean(was))} dB before, ${inDecibels(mean(is))} dB with ${
    what === "bias" ? "biases" : "codes, steps and biases"
  } fitted layer by layer (${judged.length} samples that nothing was fitted to)`;
  if (!isClearlyLess(is, was)) return unchanged(`layers stay as they were: ${text}`);
  const changed = new Map(codes);
  const weights = manifest.weights.map((weight): ManifestWeight => {
    const fit = found.get(weight);
    if (fit === undefined) return weight;
    if (fit.codes !== undefined) changed.set(weight.node, fit.codes);
    return describeFit(weight, places.find((place) => place.weight === weight)!, fit, own.length);
  });
  return { manifest: { ...manifest, weights }, codes: changed, note: text };

  /** Loss of each run's outputs. */
  async function lossesOf(model: Model, constants: ReadonlyMap<string, InputTensor>) {
    const outputs = await outputsOf(model, others, constants, runtime);
    return outputs.map((found, run) => squaredError([reference[run]], [found]));
  }

  async function fitPlace({ weight, layer, patches, bias, bounds }: Place): Promise<Fitted> {
    const name = nodeName(layer.node);
    const nodeNow = () => quantized.model.graph.node.find((node) => nodeName(node) === name)!;
    const [input] = nodeNow().input;
    const [output] = layer.node.output;
    await float.advance(output);
    await quantized.advance(input);
    const { data, dims } = layer.weight;
    const grid = weightGrid(weight);
    let fit: Fitted = { bias: bias.map((b, c) => b - (weight.biasShift?.[c] ?? 0)) };
    let real = dequantizeCodes(
      codes.get(weight.node) ?? quantizeWeights(data, dims, grid),
      dims,
      grid,
    );
    if (what === "weights") {
      const runs = own.map(({ samples }, run): LayerRun => ({
        samples,
        input: quantized.at(run, input),
        output: float.at(run, output),
      }));
      const moments = await layerMoments(runs, patches, product);
      const channels = layer.channels.output;
      const each = <T>(list: ArrayLike<T>) =>
        Array.from({ length: channels }, (_, c) => list[list.length === 1 ? 0 : c]);
      const next = fitLayer(moments, patches, {
        data,
        steps: Float64Array.from(each(grid.scales)),
        zeroPoints: each(grid.zeroPoints),
        low: grid.codes.min,
        high: grid.codes.max,
        isFree: weight.constraint !== "pot" && grid.scales.length === channels,
        bits: weight.bits,
      });
      const scales = grid.scales.length === 1 ? [...grid.scales] : [...next.steps];
      const nextReal = dequantizeCodes(next.codes, dims, {
        ...grid,
        scales: Float32Array.from(scales),
      });
      const nextBias = meanBiases(moments, patches, nextReal);
      const isSafe = !needsWiderSteps(manifest, weight, {
        data: Float32Array.from(nextReal),
        dims,
        bias: Float32Array.from(nextBias),
        scales,
      });
      if (isSafe) {
        fit = { codes: next.codes, scales, bias: nextBias };
        real = nextReal;
      }
    }
    replaceConstants(quantized, name, { weights: real, dims, bias: fit.bias });
    const result = nodeNow().output[0];
    await quantized.advance(result);
    const strideOf = (shape: readonly number[]) =>
      layer.node.opType === "Conv" ? elementCount(shape.slice(2)) : 1;
    const error = new MeanError(layer.channels.output, bounds);
    for (let run = 0; run < own.length; run++) {
      const [wanted, given] = [float.at(run, output), quantized.at(run, result)] as Tensor[];
      for (let s = 0; s < own[run].samples; s++) {
        const [y, z] = [wanted, given].map((tensor) => sampleOf(tensor, s, own[run].samples));
        error.add(y.data, z.data, strideOf(y.dims));
      }
    }
    const shifts = error.shifts();
    quantized.shift(result, shifts, strideOf);
    const corrected = fit.bias.map((b, c) => b + shifts[c]);
    replaceConstants(quantized, name, { weights: real, dims, bias: corrected });
    return { ...fit, bias: corrected };
  }
}

/** Layers with a grid in front, weights that can be read, and a bias of their own. */
function findPlaces(model: Model, manifest: Manifest): Place[] {
  const index = indexGraph(model.graph);
  const find = layerFinder(model);
  const gridded = new Set(manifest.activations.map(({ tensor }) => tensor));
  return manifest.weights.flatMap((weight): Place[] => {
    const layer = find(weight);
    const patches = layer && layerPatches(layer);
    if (layer === undefined || patches === undefined || !takesShift(weight)) return [];
    const { node } = layer;
    const isPlain = weight.compute === undefined && weight.granularity !== "block" &&
      gridded.has(weight.activation) && weight.bias?.node === undefined &&
      floatAttribute(node, "alpha", 1) === 1 && floatAttribute(node, "beta", 1) === 1;
    const bias = isPlain ? layerBias(layer, index) : undefined;
    const { scales } = weight.steps ?? { scales: [] };
    if (bias === undefined || ![1, layer.channels.output].includes(scales.length)) return [];
    return [{ weight, layer, patches, bias, bounds: boundsBehind(node.output[0], index) }];
  });
}

/** What the only reader of a tensor clips it to. */
function boundsBehind(tensor: string, index: GraphIndex): Bounds {
  const reader = onlyReader(tensor, index);
  const [low, high] = reader && clampRange(viewNode(reader), index) || [-Infinity, Infinity];
  return { low, high };
}

/** Samples whose activations fit into memory. */
function samplesThatFit({ tensors, data }: Statistics): number {
  const largest = tensors.reduce((most, { histogram }) => Math.max(most, histogram.finite), 0) /
    Math.max(1, data.samples);
  return Math.max(4, Math.min(MOST_SAMPLES, Math.floor(BYTES / (KEPT * Math.max(1, largest)))));
}

/** Puts weights and bias in the place of those that a layer has. */
function replaceConstants(
  walk: Walk,
  name: string,
  { weights, dims, bias }: {
    readonly weights: Float64Array;
    readonly dims: readonly number[];
    readonly bias: Float64Array;
  },
): void {
  const { model } = walk;
  const node = model.graph.node.find((each) => nodeName(each) === name)!;
  const input = [...node.input];
  while (input.length <= BIAS_INPUT) input.push("");
  input[1] = `${name}/fitted weights`;
  input[BIAS_INPUT] = `${name}/fitted bias`;
  walk.change(editGraph(model, {
    replace: new Map([[node, withFields(node, { input })]]),
    initializers: [
      makeTensor(input[1], dims, Float32Array.from(weights)),
      makeTensor(input[BIAS_INPUT], [bias.length], Float32Array.from(bias)),
    ],
  }));
}

/** The entry of a layer that was fitted. */
function describeFit(
  weight: ManifestWeight,
  { bias, layer }: Place,
  { codes, scales, bias: fitted }: Fitted,
  runs: number,
): ManifestWeight {
  const shift = bias.map((b, c) => b - fitted[c]);
  const how = `, where its output counts, over ${runs} samples`;
  if (codes === undefined || scales === undefined) return withShift(weight, shift, how);
  const text = `codes and steps fitted to what the layers before it give, over ${runs} samples`;
  const next = withShift(
    { ...weight, reason: [...weight.reason, text], rounding: "sequential" },
    shift,
    how,
  );
  const steps = { ...weight.steps!, scales: [...scales] };
  const { data, dims } = layer.weight;
  const real = dequantizeCodes(codes, dims, weightGrid({ ...next, steps }));
  let [power, noise] = [0, 0];
  real.forEach((w, i) => {
    power += data[i] ** 2;
    noise += (w - data[i]) ** 2;
  });
  return { ...next, steps: { ...steps, sqnr: noise === 0 ? null : decibels(power / noise) } };
}

async function outputsOf(
  model: Model,
  runs: readonly SampleRun[],
  constants: ReadonlyMap<string, InputTensor>,
  runtime: Runtime | undefined,
): Promise<Outputs[]> {
  await using session = await createSession(model, { name: "the fitted model", runtime });
  const found: Outputs[] = [];
  for (const { feeds } of runs) {
    found.push(await session.run(new Map([...feeds, ...constants]), session.outputs));
  }
  return found;
}

/**
 * Whether losses are less than others of the same runs beyond chance, and on average. Ratios are compared, so that one run
 * that fails doesn't outweigh all others.
 */
function isClearlyLess(losses: readonly number[], others: readonly number[]): boolean {
  const gains = losses.map((loss, i) => ln(Math.max(others[i], LEAST) / Math.max(loss, LEAST)));
  const gain = mean(gains);
  const variance = gains.reduce((sum, g) => sum + (g - gain) ** 2, 0) / (gains.length - 1);
  // Standard errors: 0.9 for 64 runs, 1.8 for 6, since few runs have heavier tails than their variance says.
  const clear = 0.8 + 6 / gains.length;
  return gain > clear * Math.sqrt(variance / gains.length) && mean(losses) < mean(others);
}

/** Losses below this are rounding of float32. */
const LEAST = 1e-12;

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function inDecibels(loss: number): string {
  return loss === 0 ? "∞" : (-decibels(loss)).toFixed(2);
}
