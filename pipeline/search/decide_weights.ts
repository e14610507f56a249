/**
 * Placement × model → weights of the manifest: their steps, and what they take out of the bias.
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";
import { STORED_CODES, weightCodes } from "../../core/grid.ts";
import type { ActivationStorage, WeightSpec } from "../../core/types.ts";
import type { Manifest, ManifestWeight } from "../../tpc/manifest.ts";
import type { Model } from "../../onnx/file/model.ts";
import { quantizeWeights } from "../../onnx/quantized/quantize_weights.ts";
import { dimensions, floatData } from "../../onnx/file/tensor.ts";
import { channelAxis, type WeightPlan } from "../../tpc/placement/types.ts";
import { weightGrid } from "../../tpc/emission/weight_grid.ts";
import type { Statistics } from "../statistics/statistics.ts";
import { inputVariances, layerMeans, shiftBias } from "./correct_bias.ts";
import { layerFinder } from "./layer_finder.ts";
import { DEFAULT_P } from "./methods/lp.ts";
import { leastSteps } from "./weights/least_steps.ts";
import { searchWeightSteps } from "./weights/search_weight_steps.ts";

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
  const tensors = new Map(model.graph.initializer.map((tensor) => [tensor.name, tensor]));
  const inputs = new Map(manifest.activations.map((entry) => [entry.tensor, entry]));
  const weights = manifest.weights.map((weight): ManifestWeight => {
    if (weight.steps !== undefined) return weight;
    const tensor = tensors.get(weight.tensor);
    const data = tensor && floatData(tensor);
    const activation = inputs.get(weight.activation);
    if (tensor === undefined || data === undefined || activation === undefined) {
      throw new PlimsollError("model", {
        action: "searching weight steps",
        wanted: `float32 constant ${
          JSON.stringify(weight.tensor)
        } and a scale for its input, as in the manifest`,
        found: "a model or manifest without them",
        remedy: "Give the model that the manifest was made for",
      });
    }
    const broken = data.findIndex((w) => !Number.isFinite(w));
    if (broken >= 0) {
      throw new PlimsollError("model", {
        action: `searching steps for ${JSON.stringify(weight.tensor)}`,
        wanted: "finite weights",
        found: `${data[broken]} at position ${broken}`,
        remedy: `Leave node ${
          JSON.stringify(weight.node)
        } float with --override, or mend the model`,
      });
    }
    const bias = weight.bias && floatData(tensors.get(weight.bias.tensor)!);
    const { inputMeans, inputVariances, ...kept } = weight;
    const layer = find(weight);
    const { axis, reason, method: error, storage, ...spec } = kept;
    const dims = dimensions(tensor);
    const found = searchWeightSteps({
      ...{ data, axis, dims, spec: { ...spec, error } },
      ...(channelAxis(weight.op) === undefined ? {} : {
        floors: leastSteps({ data, dims, axis }, {
          ...{ op: weight.op, bias, inputScale: activation.scale },
          reach: reachOf(activation.storage),
        }),
      }),
      ...(inputVariances === undefined || layer === undefined
        ? {}
        : { importance: data.map((_, i) => inputVariances[layer.inputChannel(i)]) }),
    });
    const widened = found.widened > 0
      ? [`${found.widened} steps widened so that sums with the bias fit into int32`]
      : [];
    const { min } = weightCodes(spec.constraint, spec.bits, storage);
    const decided = {
      ...kept,
      reason: [...reason, ...widened],
      steps: {
        scales: found.levels.map(({ step }) => step),
        ...(spec.constraint === "uniform" || storage.startsWith("u")
          ? { zeroPoints: found.levels.map(({ low }) => min - low) }
          : {}),
        sqnr: found.sqnr,
      },
    };
    if (inputMeans === undefined || layer === undefined) return decided;
    const codes = quantizeWeights(data, dims, weightGrid(decided));
    return shiftBias(decided, layer, Float64Array.from(inputMeans), codes);
  });
  return { ...manifest, weights };
}

/** Codes from the zero point to the furthest one that an int32 accumulator may meet. */
function reachOf(storage: ActivationStorage): number {
  const [least, most] = STORED_CODES[storage];
  // Codes of 16 bits go to float kernels, or to hardware with wider accumulators: only the bias has to fit.
  return storage.endsWith("16") ? 0 : most - least;
}
