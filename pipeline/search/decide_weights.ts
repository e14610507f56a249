/**
 * Placement × model → weights of the manifest: their steps, and what they take out of the bias.
 *
 * @module
 */
import { compactJson } from "../../core/canonical_json.ts";
import { nonFiniteFrom } from "../../core/non_finite.ts";
import { PlimsollError } from "../../core/errors.ts";
import { groupBy } from "../../core/group_by.ts";
import { option } from "../../core/option_words.ts";
import { STORED_CODES, weightCodes } from "../../core/grid.ts";
import type { ActivationStorage, WeightSpec } from "../../core/types.ts";
import type { Manifest, ManifestActivation, ManifestWeight } from "../../tpc/manifest.ts";
import type { Model } from "../../onnx/file/model.ts";
import { quantizeWeights } from "../../onnx/quantized/quantize_weights.ts";
import { dimensions, floatData } from "../../onnx/file/tensor.ts";
import { channelAxis, type WeightPlan } from "../../tpc/placement/types.ts";
import { weightGrid } from "../../tpc/emission/weight_grid.ts";
import type { Statistics } from "../statistics/statistics.ts";
import { inputVariances, layerMeans, shiftBias } from "./correct_bias.ts";
import { decideStored } from "./decide_stored.ts";
import { type FindLayer, layerFinder } from "./layer_finder.ts";
import { DEFAULT_P } from "./methods/lp.ts";
import { leastSteps } from "./weights/least_steps.ts";
import { searchWeightSteps, type WeightSteps } from "./weights/search_weight_steps.ts";

/** A weight tensor of the manifest before its steps are searched. */
export function describeWeight(
  { spec, reason, bias, ...plan }: WeightPlan,
  statistics: Statistics,
): ManifestWeight {
  const { error, ...rest } = spec;
  const means = layerMeans({ ...plan, biasCorrection: rest.biasCorrection }, statistics);
  const variances = error === "output"
    ? inputVariances(plan, statistics, means !== undefined)
    : undefined;
  return {
    ...plan,
    ...rest,
    ...(bias === undefined ? {} : { bias }),
    ...(means !== undefined ? { inputMeans: [...means] } : {}),
    ...(variances !== undefined ? { inputVariances: [...variances] } : {}),
    method: error,
    reason: [reason, describeSearch(spec)],
  };
}

/** What the steps of weights are searched for. */
function describeSearch(
  { error, lpP = DEFAULT_P, clip, constraint, granularity }: WeightSpec,
): string {
  const grid = { pot: "power-of-two", symmetric: "symmetric", uniform: "affine" }[constraint];
  const whose = {
    tensor: "one for the tensor",
    channel: "one for each output channel",
    block: "one for each block of inputs",
  }[granularity];
  if (error === "noclipping") return `smallest ${grid} grid that clips no weight, ${whose}`;
  const least = {
    mse: "squared error",
    mae: "absolute error",
    lp: `|error|^${lpP}`,
    output: "squared error, each by the variance of its input",
  }[error];
  return `${grid} grid of least ${least}, ${
    clip ? "clipping allowed" : "that clips no weight"
  }, ${whose}`;
}

/**
 * Fills in the weight steps that a manifest lacks.
 *
 * @param model The prepared float model.
 * @throws {PlimsollError} kind `model` when it isn't the model of the manifest.
 */
export function decideWeights(manifest: Manifest, model: Model): Manifest {
  const find = layerFinder(model);
  const sources = weightSources(manifest, model);
  const open = manifest.weights.filter(({ steps }) => steps === undefined);
  const found = new Map<ManifestWeight, WeightSteps>();
  // Weights that several layers share have one set of steps, so that their codes are stored once.
  for (const sharing of groupBy(open, shareKey).values()) {
    const steps = searchSharedSteps(sharing, sources, find);
    for (const weight of sharing) found.set(weight, steps);
  }
  const weights = manifest.weights.map((weight): ManifestWeight => {
    const steps = found.get(weight);
    if (steps === undefined) return weight;
    const { inputMeans, inputVariances: _, ...kept } = weight;
    const layer = find(weight);
    const { reason, storage, constraint, bits } = kept;
    const widened = steps.widened > 0
      ? [`${steps.widened} steps widened so that sums with the bias fit into int32`]
      : [];
    const { min } = weightCodes(constraint, bits, storage);
    const decided = {
      ...kept,
      reason: [...reason, ...widened],
      steps: {
        scales: steps.levels.map(({ step }) => step),
        ...(constraint === "uniform" || storage.startsWith("u")
          ? { zeroPoints: steps.levels.map(({ low }) => min - low) }
          : {}),
        sqnr: steps.sqnr,
      },
    };
    if (inputMeans === undefined || layer === undefined) return decided;
    const { data, dims } = sources(weight);
    const codes = quantizeWeights(data, dims, weightGrid(decided));
    return shiftBias(decided, layer, Float64Array.from(inputMeans), codes);
  });
  return decideStored({ ...manifest, weights }, model);
}

/** Equal for entries whose steps can be the same. */
function shareKey(weight: ManifestWeight): string {
  const { tensor, axis, bits, constraint, granularity, blockSize, method, lpP, clip } = weight;
  const { storage } = weight;
  return compactJson([
    ...[tensor, axis, bits, constraint, granularity, blockSize ?? 0],
    ...[method, lpP ?? DEFAULT_P, clip, storage],
  ]);
}

/** What the steps of one entry are searched from. */
interface WeightSource {
  readonly data: Float32Array;
  readonly dims: readonly number[];
  /** Absent where the input has no grid. */
  readonly activation?: ManifestActivation;
  readonly bias?: Float32Array;
}

/** Looks up weights, biases and the inputs that they meet. */
function weightSources(
  manifest: Manifest,
  model: Model,
): (weight: ManifestWeight) => WeightSource {
  const tensors = new Map(model.graph.initializer.map((tensor) => [tensor.name, tensor]));
  const inputs = new Map(manifest.activations.map((entry) => [entry.tensor, entry]));
  return (weight) => {
    const tensor = tensors.get(weight.tensor);
    const data = tensor && floatData(tensor);
    const activation = inputs.get(weight.activation);
    const isKnown = activation !== undefined || weight.compute !== undefined;
    if (tensor === undefined || data === undefined || !isKnown) {
      throw new PlimsollError("model", {
        action: "searching weight steps",
        wanted: `float32 constant ${
          JSON.stringify(weight.tensor)
        } and a scale for its input, as in the manifest`,
        found: "a model or manifest without them",
        remedy: "Give the model that the manifest was made for",
      });
    }
    const broken = nonFiniteFrom(data, 0);
    if (broken >= 0) {
      throw new PlimsollError("model", {
        action: `searching steps for ${JSON.stringify(weight.tensor)}`,
        wanted: "finite weights",
        found: `${data[broken]} at position ${broken}`,
        remedy: `Leave node ${JSON.stringify(weight.node)} float with ${
          option("override")
        }, or mend the model`,
      });
    }
    const bias = weight.bias && floatData(tensors.get(weight.bias.tensor)!);
    return { data, dims: dimensions(tensor), activation, bias };
  };
}

/** Steps that do for all layers that share a weight tensor: room for each one's sums, errors counted for all. */
function searchSharedSteps(
  sharing: readonly ManifestWeight[],
  sources: (weight: ManifestWeight) => WeightSource,
  find: FindLayer,
): WeightSteps {
  const [first] = sharing;
  const { data, dims } = sources(first);
  const { axis, method: error, inputMeans: _, inputVariances: _v, ...spec } = first;
  const floors: number[] = [];
  let importance: Float32Array | undefined;
  for (const weight of sharing) {
    const { activation, bias } = sources(weight);
    if (channelAxis(weight.op) !== undefined && weight.compute !== "float") {
      const { op } = weight;
      // What is quantized as the model runs has codes of uint8, and its bias is added to floats.
      const own = activation === undefined || weight.compute !== undefined
        ? { op, inputScale: 1, reach: reachOf("uint8") }
        : { op, bias, inputScale: activation.scale, reach: reachOf(activation.storage) };
      leastSteps({ data, dims, axis }, own)
        .forEach((floor, c) => floors[c] = Math.max(floors[c] ?? 0, floor));
    }
    const { inputVariances } = weight;
    const layer = inputVariances && find(weight);
    if (inputVariances === undefined || layer === undefined) continue;
    const before = importance;
    importance = data.map((_, i) => (before?.[i] ?? 0) + inputVariances[layer.inputChannel(i)]);
  }
  return searchWeightSteps({
    data,
    axis,
    dims,
    spec: { ...spec, error },
    ...(floors.length === 0 ? {} : { floors }),
    ...(importance === undefined ? {} : { importance }),
  });
}

/**
 * Whether an int32 accumulator could wrap with other weights and biases than those that the steps were searched for; see
 * `leastSteps`.
 */
export function needsWiderSteps(
  { activations }: Manifest,
  { op, axis, activation: tensor }: ManifestWeight,
  { data, dims, bias, scales }: {
    readonly data: Float32Array;
    readonly dims: readonly number[];
    readonly bias: Float32Array;
    /** Step of each output channel, or one in all. */
    readonly scales: readonly number[];
  },
): boolean {
  const activation = activations.find((entry) => entry.tensor === tensor)!;
  const { scale: inputScale, storage } = activation;
  return leastSteps({ data, dims, axis }, { op, bias, inputScale, reach: reachOf(storage) })
    .some((least, c) => scales[scales.length === 1 ? 0 : c] < least);
}

/** Codes from the zero point to the furthest one that an int32 accumulator may meet. */
function reachOf(storage: ActivationStorage): number {
  const [least, most] = STORED_CODES[storage];
  // Codes of 16 bits go to float kernels, or to hardware with wider accumulators: only the bias has to fit.
  return storage.endsWith("16") ? 0 : most - least;
}
