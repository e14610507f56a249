/**
 * Scale migration, learned: a few samples show which channels reach far beyond the others, and the factors that serve the
 * layers behind them best are chosen.
 *
 * @module
 */
import { compactJson } from "../../core/canonical_json.ts";
import { outlineGraph } from "../../onnx/graph/outline.ts";
import { indexGraph } from "../../onnx/graph/graph_index.ts";
import type { Model } from "../../onnx/file/model.ts";
import type { LinearLayer } from "../../onnx/layers/linear_layer.ts";
import { inferShapes } from "../../onnx/operators/infer_shapes.ts";
import { absorbDivision } from "../../onnx/rewrites/absorb_division.ts";
import { layersReading } from "../../onnx/rewrites/migrate_scales.ts";
import type { Rewrites } from "../../onnx/rewrites/rewrites.ts";
import { migratable } from "../../tpc/placement/migratable.ts";
import { withoutPlan } from "../../tpc/placement/overrides.ts";
import type { Target } from "../../tpc/targets/target.ts";
import { mapStream } from "../../core/map_stream.ts";
import { streamOf } from "../../core/stream_of.ts";
import type { Sample, Tensor } from "../../core/tensor.ts";
import {
  type ChannelReach,
  type ChannelRows,
  migrationFactors,
} from "../search/migration_factors.ts";
import { tokenFitter } from "../inference/fit_tokens.ts";
import { modelInputs } from "../inference/model_inputs.ts";
import { leastSamples } from "./least_samples.ts";
import { type PassOptions, streamActivations } from "./stream_activations.ts";

/** Samples that are looked at: those of the least SHA-256. */
export const MIGRATION_SAMPLES = 32;
/** Rows of a tensor that are kept of one. */
const ROWS = 16;

/**
 * Tensors that a target wants migrated: those that are made as floats, and those whose division what makes them can take.
 * The pass over the samples is for them alone.
 */
export function migratedTensors(model: Model, target: Target): string[] {
  return [...migratedLayers(model, target).keys()];
}

/** The layers that read each of those tensors. */
function migratedLayers({ graph }: Model, target: Target): Map<string, LinearLayer[]> {
  const found = new Map<string, LinearLayer[]>();
  if (target.rewrites?.scaleMigration !== true) return found;
  const index = indexGraph(graph);
  const workshop = { index, shapes: inferShapes(graph, index), newName: (name: string) => name };
  for (const { tensor, isFloat } of migratable(outlineGraph(graph), withoutPlan(target))) {
    const layers = layersReading(tensor, workshop);
    if (layers.length === 0) continue;
    const [{ axis, channels }] = layers;
    const factor = new Float64Array(channels.input).fill(1);
    const isAll = layers.length === index.consumers.get(tensor)!.length &&
      !index.outputs.has(tensor);
    const isTaken = isFloat ||
      isAll && absorbDivision(tensor, { factor, axis }, workshop) !== undefined;
    if (isTaken) found.set(tensor, layers);
  }
  return found;
}

/** Equal for recipes that learn the same. */
export function migrationKey(model: Model, target: Target): string {
  const { activation: { bits }, weight, layers = {} } = target;
  const { activations = "static" } = layers;
  return compactJson([migratedTensors(model, target), bits, weight.bits, activations]);
}

/**
 * Completes rewrites with scale migration. Deterministic, and the order of the samples doesn't matter: those of the least
 * SHA-256 are looked at.
 *
 * @param options With the model as `rewrites` has made it.
 */
export async function learnMigration(
  samples: ReadableStream<Sample>,
  options: PassOptions,
  rewrites: Rewrites,
): Promise<Rewrites> {
  const { model, target, signal } = options;
  const layers = migratedLayers(model, target);
  // Hashed as they are run, so that padding chooses no others.
  const fitted = samples.pipeThrough(mapStream(tokenFitter(modelInputs(model.graph))));
  const kept = await leastSamples(fitted, MIGRATION_SAMPLES, { signal });
  const rows = new Map([...layers.keys()].map((tensor) => [tensor, new RowCollector()]));
  // One by one, so that batches change nothing.
  await streamActivations(
    streamOf(kept),
    { ...options, batch: 1 },
    "ranges",
    () =>
      Promise.resolve(({ outputs }) => {
        for (const [tensor, collector] of rows) {
          const [layer] = layers.get(tensor)!;
          const seen = outputs.get(tensor);
          if (seen !== undefined) collector.add(seen, layer.axis);
        }
        return false;
      }),
  );
  const bits = {
    activation: target.activation.bits,
    weight: target.weight.bits,
    isWhole: target.layers?.activations === "dynamic",
  };
  const scaleMigration = [...rows].flatMap(([tensor, collector]) => {
    const seen = collector.rows();
    const factors = seen && migrationFactors(seen, layers.get(tensor)!, bits);
    return factors === undefined ? [] : [[tensor, [...factors]] as [string, number[]]];
  });
  if (scaleMigration.length === 0) return rewrites;
  return { ...rewrites, scaleMigration: Object.fromEntries(scaleMigration) };
}

/** How far the channels of a tensor reach on every other sample, and some rows of those between. */
class RowCollector {
  readonly #rows: Float32Array[] = [];
  #reach: ChannelReach | undefined;
  #samples = 0;
  #isKnown = true;

  /** Adds one sample. */
  add({ data, dims }: Tensor, axis: number): void {
    const channels = dims.at(axis) ?? 0;
    this.#reach ??= { low: new Float64Array(channels), high: new Float64Array(channels) };
    const { low, high } = this.#reach;
    if (channels !== low.length || channels === 0) this.#isKnown = false;
    if (!this.#isKnown || data.length === 0) return;
    const stride = dims.slice(dims.length + axis + 1).reduce((product, dim) => product * dim, 1);
    const count = data.length / channels;
    const at = (row: number, channel: number) =>
      (Math.floor(row / stride) * channels + channel) * stride + row % stride;
    if (this.#samples++ % 2 === 0) {
      for (let row = 0; row < count; row++) {
        for (let channel = 0; channel < channels; channel++) {
          const x = data[at(row, channel)];
          if (x < low[channel]) low[channel] = x;
          if (x > high[channel]) high[channel] = x;
        }
      }
      return;
    }
    const taken = Math.min(ROWS, count);
    for (let i = 0; i < taken; i++) {
      const row = Math.floor((i + 0.5) * count / taken);
      this.#rows.push(Float32Array.from({ length: channels }, (_, c) => data[at(row, c)]));
    }
  }

  /** What was seen; undefined where the channels varied, or there were too few samples. */
  rows(): ChannelRows | undefined {
    const reach = this.#reach;
    if (!this.#isKnown || reach === undefined || this.#rows.length === 0) return;
    const channels = reach.low.length;
    const rows = new Float32Array(this.#rows.length * channels);
    this.#rows.forEach((row, i) => rows.set(row, i * channels));
    return { reach, rows };
  }
}
