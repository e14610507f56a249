/**
 * What every option of every quantizer costs the outputs of the model, one at a time. Losses of quantizers that don't know
 * of each other add up, which is checked by measuring all usual ones together.
 *
 * @module
 */
import { compactJson } from "../../core/canonical_json.ts";
import type { Levels } from "../../core/grid.ts";
import { sha256 } from "../../core/hash.ts";
import type { OnProgress } from "../../core/progress.ts";
import type { Sample } from "../../core/tensor.ts";
import type { Model } from "../../onnx/file/model.ts";
import type { Manifest } from "../../tpc/manifest.ts";
import { addOverrides } from "../../tpc/targets/read_target.ts";
import type { Override, Target } from "../../tpc/targets/target.ts";
import type { Runtime } from "../inference/runtime.ts";
import type { Choices } from "../plan/choices.ts";
import type { Sensitivity } from "../plan/sensitivity_file.ts";
import { decide } from "../search/decide.ts";
import { levelsOf } from "../search/levels_of.ts";
import { hashSample } from "../statistics/held_out.ts";
import type { Statistics } from "../statistics/statistics.ts";
import { type MeasureName, measureNamed } from "./output_measure.ts";
import { openSwitched, type Switched } from "./switched_model.ts";

/** What {@linkcode measureSensitivity} measures. */
export interface SensitivityInput {
  /** The prepared float model. */
  readonly model: Model;
  readonly statistics: Statistics;
  /** With everything on integers that can be. */
  readonly target: Target;
  readonly choices: Choices;
  /** At most 16; every option runs all of them. */
  readonly samples: readonly Sample[];
}

/** How it measures. */
export interface SensitivityOptions {
  readonly measure?: MeasureName;
  /** Most seconds; what isn't measured by then is estimated. Default none. */
  readonly seconds?: number;
  /** What was measured before; taken where grids, samples and measure are the same. */
  readonly known?: Sensitivity;
  readonly runtime?: Runtime;
  readonly onProgress?: OnProgress;
  readonly signal?: AbortSignal;
}

/** An option of a quantizer, to be measured. */
interface Option {
  readonly kind: "activations" | "weights";
  readonly name: string;
  readonly bits: number;
  readonly key: string;
  readonly switched: Switched;
  /** Σ(Q − x)² / Σx² of what it rounds itself. */
  readonly own: number;
}

/** Measures all options of all quantizers. */
export async function measureSensitivity(
  { model, statistics, target, choices, samples }: SensitivityInput,
  options: SensitivityOptions = {},
): Promise<Sensitivity> {
  const { measure = "squared", seconds = Infinity, known, runtime, onProgress, signal } = options;
  const hash = await hashSamples(samples);
  const isSame = known?.measure === measure && known.data.sha256 === hash;
  const before = new Map(
    !isSame ? [] : [
      ...known.activations.map((entry) => [`activations ${entry.tensor} ${entry.key}`, entry]),
      ...known.weights.map((entry) => [`weights ${entry.node} ${entry.key}`, entry]),
    ] as [string, { loss: number | null; isEstimated?: true }][],
  );
  const manifests = await manifestsByBits({ model, statistics, target, choices });
  const start = performance.now();
  const measured: (Option & { loss?: number })[] = [];
  const all: { readonly manifest: Manifest; readonly options: Option[] }[] = [];
  for (const { manifest, bits } of manifests) {
    all.push({ manifest, options: await optionsOf(manifest, choices, bits) });
  }
  const total = all.reduce((sum, { options }) => sum + options.length, 0);
  let joint: Sensitivity["joint"] | undefined;
  for (const { manifest, options } of all) {
    const isDone = ({ kind, name, key }: Option) => {
      const entry = before.get(`${kind} ${name} ${key}`);
      return entry !== undefined && entry.isEstimated === undefined ? entry : undefined;
    };
    const needsRun = options.some((option) => isDone(option) === undefined) || joint === undefined;
    if (!needsRun) {
      for (const option of options) measured.push({ ...option, loss: isDone(option)!.loss! });
      continue;
    }
    await using switched = await openSwitched(model, manifest, {
      samples,
      runtime,
      measure: measureNamed(measure),
    });
    for (const option of options) {
      signal?.throwIfAborted();
      const done = isDone(option);
      const isLate = performance.now() - start > seconds * 1000;
      const loss = done !== undefined
        ? done.loss ?? Infinity
        : isLate
        ? undefined
        : await switched.loss(option.switched);
      measured.push({ ...option, ...(loss === undefined ? {} : { loss }) });
      onProgress?.({ stage: "sensitivity", done: measured.length, total });
    }
    joint ??= {
      predicted: measured.reduce((sum, { loss = 0 }) => sum + loss, 0),
      measured: await switched.loss({
        grids: new Map(options.flatMap(({ switched }) => [...switched.grids ?? []])),
        weights: options.flatMap(({ switched }) => [...switched.weights ?? []]),
      }),
    };
  }
  const finite = (loss: number) => Number.isFinite(loss) ? loss : null;
  const entries = (kind: Option["kind"]) => {
    const own = measured.filter((option) => option.kind === kind);
    const gain = medianGain(own);
    return own.map(({ name, bits, key, loss, own }) => ({
      name,
      entry: {
        bits,
        key,
        loss: finite(loss ?? own * gain),
        ...(loss === undefined && { isEstimated: true as const }),
      },
    }));
  };
  return {
    schemaVersion: 1,
    model: { sha256: statistics.model.sha256 },
    data: { samples: samples.length, sha256: hash },
    measure,
    activations: entries("activations").map(({ name, entry }) => ({ tensor: name, ...entry })),
    weights: entries("weights").map(({ name, entry }) => ({ node: name, ...entry })),
    joint: { predicted: finite(joint!.predicted!), measured: finite(joint!.measured!) },
  };
}

/** What a quantizer costs the outputs for each part of its own error, at the median of those that were measured. */
function medianGain(options: readonly (Option & { loss?: number })[]): number {
  const gains = options.flatMap(({ loss, own }) =>
    loss === undefined || !(own > 0) || !Number.isFinite(loss) ? [] : [loss / own]
  ).sort((a, b) => a - b);
  return gains[gains.length >> 1] ?? 1;
}

/** A manifest for the usual bits, then one for each other number of bits of activations and weights. */
async function manifestsByBits(
  { model, statistics, target, choices }: Omit<SensitivityInput, "samples">,
): Promise<{ manifest: Manifest; bits?: { activation?: number; weight?: number } }[]> {
  const decided = async (overrides: Override[]) =>
    await decide({
      statistics,
      statisticsSha256: statistics.data.sha256,
      target: addOverrides(target, overrides),
      model,
    });
  const usual = await decided([]);
  const own = {
    activation: new Set(usual.activations.map(({ bits }) => bits)),
    weight: new Set(usual.weights.map(({ bits }) => bits)),
  };
  const wanted = {
    activation: new Set([...choices.tensors.values()].flat().filter((bits) => bits > 0)),
    weight: new Set(
      choices.units.flat().flatMap((choice) =>
        choice.kind === "integer" && choice.weightBits !== undefined ? [choice.weightBits] : []
      ),
    ),
  };
  const further = (kind: "activation" | "weight") =>
    [...wanted[kind]].filter((bits) => own[kind].size > 1 || !own[kind].has(bits)).sort((a, b) =>
      b - a
    );
  const made: Awaited<ReturnType<typeof manifestsByBits>> = [{ manifest: usual }];
  for (const bits of further("activation")) {
    const override = { match: { tensor: "*" }, activation: { bits }, optional: true as const };
    made.push({ manifest: await decided([override]), bits: { activation: bits } });
  }
  for (const bits of further("weight")) {
    const override = { match: { node: "*" }, weight: { bits }, optional: true as const };
    made.push({ manifest: await decided([override]), bits: { weight: bits } });
  }
  return made;
}

/** The options that a manifest can measure; of the usual one all, else those of its bits. */
async function optionsOf(
  manifest: Manifest,
  choices: Choices,
  only?: { activation?: number; weight?: number },
): Promise<Option[]> {
  const options: Option[] = [];
  for (const entry of manifest.activations) {
    const { tensor, bits, sameAs } = entry;
    if (sameAs !== undefined || only !== undefined && only.activation !== bits) continue;
    if (!choices.tensors.has(tensor)) continue;
    const levels: Levels = levelsOf(entry);
    options.push({
      kind: "activations",
      name: tensor,
      bits,
      key: compactJson([levels.step, levels.low, levels.high]),
      switched: { grids: new Map([[tensor, levels]]) },
      own: entry.statistics?.lost ?? 0,
    });
  }
  for (const { node, bits, steps, biasShift } of manifest.weights) {
    if (only !== undefined && only.weight !== bits) continue;
    const sqnr = steps?.sqnr ?? null;
    options.push({
      kind: "weights",
      name: node,
      bits,
      key: (await sha256(compactJson([steps ?? null, biasShift ?? null]))).slice(0, 16),
      switched: { weights: [node] },
      own: sqnr === null ? 0 : 10 ** (-sqnr / 10),
    });
  }
  return options;
}

/** One hash of samples, in their order. */
async function hashSamples(samples: readonly Sample[]): Promise<string> {
  const hashes = await Promise.all(samples.map(hashSample));
  return await sha256(Uint8Array.from(hashes.flatMap((hash) => [...hash])));
}
