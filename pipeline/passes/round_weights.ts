/**
 * Rounding of all layers by second-order information: moments from another pass of samples, codes from them.
 *
 * @module
 */
import { decibels } from "../../core/portable_math.ts";
import type { WeightCodes } from "../../tpc/emission/insert_qdq.ts";
import type { Manifest, ManifestWeight } from "../../tpc/manifest.ts";
import type { LinearLayer } from "../../onnx/layers/linear_layer.ts";
import { quantizeWeights } from "../../onnx/quantized/quantize_weights.ts";
import { scaleIndex } from "../../onnx/quantized/scale_index.ts";
import { weightGrid } from "../../tpc/emission/weight_grid.ts";
import { type Sample, sampleOf } from "../../core/tensor.ts";
import { layerMeans, shiftBias } from "../search/correct_bias.ts";
import { layerFinder } from "../search/layer_finder.ts";
import type { Statistics } from "../statistics/statistics.ts";
import { type PassOptions, streamActivations } from "./stream_activations.ts";
import { createGramProduct } from "../rounding/gram.ts";
import { blocksOf, momentBytes, MomentsCollector } from "../rounding/moments_collector.ts";
import { layerPatches, type Patches } from "../rounding/patches.ts";
import { planRounding, roundRow } from "../rounding/second_order.ts";

/** What {@linkcode roundWeights} needs. */
export interface RoundingInput {
  /** With steps. */
  readonly manifest: Manifest;
  /** Those that the manifest was made from. */
  readonly statistics: Statistics;
  /** Opens the calibration samples once more. */
  readonly reopen: () => Promise<ReadableStream<Sample>>;
  /** Samples that the moments are taken from, at most. */
  readonly samples?: number;
}

/** Samples that moments are taken from; 8,192 vectors a layer. */
const SAMPLES = 128;
/** Moments that are gathered in one pass; more layers take another one. */
const PASS_BYTES = 2 ** 29;

/** A layer that is rounded. */
interface Place {
  readonly weight: ManifestWeight;
  readonly layer: LinearLayer;
  readonly patches: Patches;
  readonly magnitude: number;
}

/**
 * Chooses the code of every weight anew so that the outputs of its layer err least, and corrects the bias after it.
 * Weights whose layer isn't a Conv, Gemm or MatMul of matrices keep the nearest codes.
 *
 * @returns The manifest, which says so of each layer, and the codes for emission.
 */
export async function roundWeights(
  { manifest, statistics, reopen, samples = SAMPLES }: RoundingInput,
  options: PassOptions,
): Promise<{ manifest: Manifest; codes: WeightCodes }> {
  const places = findPlaces(manifest, statistics, options);
  const codes = new Map<string, Int16Array>();
  const rounded = new Map<ManifestWeight, ManifestWeight>();
  for (const part of passes(places)) {
    const collectors = await gather(part, await reopen(), samples, options);
    for (const [i, place] of part.entries()) {
      const { weight, layer } = place;
      const means = layerMeans(weight, statistics);
      const found = roundLayer(place, collectors[i], means !== undefined);
      codes.set(weight.node, found.codes);
      const reason = [
        ...weight.reason,
        `rounded by second moments of up to ${samples} samples: expected output error ` +
        `${decibels(found.before / found.after).toFixed(1)} dB below that of the nearest codes`,
      ];
      const next = { ...weight, rounding: "gptq" as const, reason };
      rounded.set(weight, means === undefined ? next : shiftBias(next, layer, means, found.codes));
    }
  }
  return {
    manifest: {
      ...manifest,
      weights: manifest.weights.map((weight) => rounded.get(weight) ?? weight),
    },
    codes,
  };
}

function findPlaces(
  { weights, activations }: Manifest,
  { tensors }: Statistics,
  { model }: PassOptions,
): Place[] {
  const find = layerFinder(model);
  const entries = new Map(activations.map((entry) => [entry.tensor, entry]));
  const watched = new Map(tensors.map(({ tensor, histogram }) => [tensor, histogram]));
  return weights.flatMap((weight): Place[] => {
    const layer = find(weight);
    const patches = layer && layerPatches(layer);
    const entry = entries.get(weight.activation);
    // Operators that keep a grid keep what is within it, too.
    const { min = null, max = null } =
      (entry?.sameAs === undefined ? entry : entries.get(entry.sameAs))?.statistics ??
        watched.get(weight.activation) ?? {};
    if (layer === undefined || patches === undefined || min === null || max === null) return [];
    return [{ weight, layer, patches, magnitude: Math.max(-min, max) }];
  });
}

/** Layers whose moments fit into memory together. */
function* passes(places: readonly Place[]): Iterable<Place[]> {
  let part: Place[] = [];
  let bytes = 0;
  for (const place of places) {
    const own = momentBytes(place.patches);
    if (part.length > 0 && bytes + own > PASS_BYTES) {
      yield part;
      [part, bytes] = [[], 0];
    }
    part.push(place);
    bytes += own;
  }
  if (part.length > 0) yield part;
}

async function gather(
  places: readonly Place[],
  stream: ReadableStream<Sample>,
  limit: number,
  options: PassOptions,
): Promise<MomentsCollector[]> {
  const collectors = places.map(({ patches, magnitude }) =>
    new MomentsCollector(patches, magnitude)
  );
  await using product = await createGramProduct(options.runtime);
  let seen = 0;
  await streamActivations(
    stream,
    options,
    "round",
    () =>
      Promise.resolve(async ({ batch, outputs }) => {
        const count = Math.min(batch.samples.length, limit - seen);
        for (const [i, { weight }] of places.entries()) {
          const tensor = outputs.get(weight.activation)!;
          for (let s = 0; s < count; s++) {
            await collectors[i].add(sampleOf(tensor, s, batch.samples.length), product);
          }
        }
        seen += count;
        return seen === limit;
      }),
  );
  return collectors;
}

/** Codes of a layer, with its expected output error for the nearest codes and for them. */
function roundLayer(
  { weight, layer, patches: { shape } }: Place,
  collector: MomentsCollector,
  isCentred: boolean,
): { codes: Int16Array; before: number; after: number } {
  const grid = weightGrid(weight);
  const { data, dims } = layer.weight;
  const nearest = quantizeWeights(data, dims, grid);
  const codes = nearest.slice();
  const scaleOf = grid.axis === undefined ? () => 0 : scaleIndex(dims, grid.axis, grid.blockSize);
  let [before, after] = [0, 0];
  collector.moments(isCentred).forEach((blocks, group) => {
    blocks.forEach((moments, b) => {
      const { from } = blocksOf(shape.size)[b];
      const plan = planRounding(moments);
      for (let row = group * shape.rows; row < (group + 1) * shape.rows; row++) {
        const places = Array.from({ length: moments.size }, (_, k) => shape.place(row, from + k));
        const scales = Float64Array.from(places, (i) => grid.scales[scaleOf(i)]);
        const zeroPoints = places.map((i) => grid.zeroPoints[scaleOf(i)]);
        const weights = Float64Array.from(places, (i) => data[i]);
        const { min: low, max: high } = grid.codes;
        const { codes: found } = roundRow(plan, { weights, scales, low, high, zeroPoints });
        const errorOf = (code: (k: number) => number) =>
          quadratic(moments.matrix, weights.map((w, k) => w - code(k) * scales[k]));
        const [old, now] = [
          errorOf((k) => nearest[places[k]] - zeroPoints[k]),
          errorOf((k) => found[k]),
        ];
        before += old;
        after += Math.min(old, now);
        if (now < old) places.forEach((i, k) => codes[i] = found[k] + zeroPoints[k]);
      }
    });
  });
  return { codes, before, after };
}

/** e·H·eᵀ. */
function quadratic(matrix: Float64Array, errors: Float64Array): number {
  const size = errors.length;
  let sum = 0;
  for (let i = 0; i < size; i++) {
    let own = 0;
    for (let j = 0, at = i * size; j < size; j++) own += matrix[at + j] * errors[j];
    sum += errors[i] * own;
  }
  return sum;
}
