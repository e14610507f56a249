/**
 * What each quantizer costs the outputs: one quantizer at a time, everything else float. Losses of quantizers that don't
 * know of each other add up (EfficientNet-Lite0: 19.1 dB by the sum, 19.1 measured), so this is whose fault it is.
 *
 * One model has all grids and all roundings of weights as inputs (`tpc/emission/variable_grids.ts`), so a quantizer costs
 * its runs and no session.
 *
 * @module
 */
import type { Levels } from "../../core/grid.ts";
import type { InputTensor, Sample, Tensor } from "../../core/tensor.ts";
import { streamOf } from "../../core/stream_of.ts";
import type { Model } from "../../onnx/file/model.ts";
import { makeGridsVariable } from "../../tpc/emission/variable_grids.ts";
import type { Manifest, ManifestActivation } from "../../tpc/manifest.ts";
import { createSession } from "../inference/default_runtime.ts";
import { batchSizeFor, feedsFor, modelInputs } from "../inference/infer.ts";
import { tokenFitter } from "../inference/fit_tokens.ts";
import type { Runtime } from "../inference/runtime.ts";
import { levelsOf } from "../search/levels_of.ts";
import { batchSamples } from "../source/batches.ts";

/** A quantizer with what it alone costs. */
export interface OutputLoss {
  /** Whether it rounds an activation or the weights of a layer. */
  readonly kind: "activation" | "weights";
  /** The activation's tensor, or the node of the layer. */
  readonly name: string;
  /** Σ over float outputs of Σ(y′ − y)² / Σy² with this quantizer alone. */
  readonly loss: number;
  /** Part of the sum of all losses. */
  readonly share: number;
}

/** What {@linkcode outputLosses} needs. */
export interface OutputLossesOptions {
  /** Samples to run, few: every quantizer runs all of them. */
  readonly samples: readonly Sample[];
  readonly runtime?: Runtime;
  readonly signal?: AbortSignal;
  /** Told after every quantizer. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** A step so fine that float32 has no finer. */
const FINE = 2 ** -22;

/**
 * Measures every quantizer of a manifest.
 *
 * @param model The prepared float model of the manifest.
 * @returns The most expensive first.
 */
export async function outputLosses(
  model: Model,
  manifest: Manifest,
  { samples, runtime, signal, onProgress }: OutputLossesOptions,
): Promise<OutputLoss[]> {
  const variable = makeGridsVariable(model, manifest, true);
  await using session = await createSession(variable.model, {
    name: "the model of all grids and weights",
    runtime,
  });
  const inputs = modelInputs(model.graph);
  const runs: ReadonlyMap<string, InputTensor>[] = [];
  const batches = streamOf(samples).pipeThrough(
    batchSamples(batchSizeFor(inputs, 1), tokenFitter(inputs)),
  );
  for await (const batch of batches) runs.push(feedsFor(batch, inputs));
  const owners = manifest.activations.filter(({ sameAs }) => sameAs === undefined);
  const scalars = new Map<string, InputTensor>();
  const setGrid = (tensor: string, { step, low, high }: Levels) => {
    const names = variable.inputs.get(tensor)!;
    scalars.set(names.step, scalar(step)).set(names.low, scalar(low)).set(names.high, scalar(high));
  };
  for (const entry of owners) setGrid(entry.tensor, fineLevels(entry));
  for (const name of variable.switches.values()) scalars.set(name, scalar(0));
  const outputs = async () => {
    const found: Map<string, Tensor>[] = [];
    for (const feeds of runs) {
      found.push(await session.run(new Map([...feeds, ...scalars]), session.outputs));
    }
    return found;
  };
  const reference = await outputs();
  const measured: Omit<OutputLoss, "share">[] = [];
  const total = owners.length + variable.switches.size;
  const measure = async (kind: OutputLoss["kind"], name: string) => {
    signal?.throwIfAborted();
    measured.push({ kind, name, loss: lossBetween(reference, await outputs()) });
    onProgress?.(measured.length, total);
  };
  for (const entry of owners) {
    setGrid(entry.tensor, levelsOf(entry));
    await measure("activation", entry.tensor);
    setGrid(entry.tensor, fineLevels(entry));
  }
  for (const [node, name] of variable.switches) {
    scalars.set(name, scalar(1));
    await measure("weights", node);
    scalars.set(name, scalar(0));
  }
  const sum = measured.reduce((all, { loss }) => all + loss, 0);
  return measured.map((entry) => ({ ...entry, share: sum === 0 ? 0 : entry.loss / sum }))
    .toSorted((a, b) => b.loss - a.loss);
}

/** A grid that changes nothing but last bits. */
function fineLevels({ threshold, statistics }: ManifestActivation): Levels {
  const { min, max } = statistics ?? {};
  const most = Math.max(threshold, -(min ?? 0), max ?? 0);
  return { step: most * FINE, low: -(2 ** 24), high: 2 ** 24 };
}

function scalar(value: number): InputTensor {
  return { data: Float32Array.of(value), dims: [] };
}

function lossBetween(
  reference: readonly ReadonlyMap<string, Tensor>[],
  found: readonly ReadonlyMap<string, Tensor>[],
): number {
  const sums = new Map<string, { power: number; noise: number }>();
  reference.forEach((outputs, run) => {
    for (const [name, { data }] of outputs) {
      if (!(data instanceof Float32Array)) continue;
      const other = found[run].get(name)!.data;
      const entry = sums.get(name) ?? { power: 0, noise: 0 };
      sums.set(name, entry);
      for (let i = 0; i < data.length; i++) {
        if (data[i] - data[i] !== 0 || other[i] - other[i] !== 0) continue;
        entry.power += data[i] * data[i];
        entry.noise += (other[i] - data[i]) ** 2;
      }
    }
  });
  return [...sums.values()].reduce(
    (sum, { power, noise }) => sum + (power === 0 ? 0 : noise / power),
    0,
  );
}
