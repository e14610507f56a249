/**
 * AUTO by output: for each tensor the method with which the outputs of the quantized model are closest to those of
 * the float model, on held-out samples.
 *
 *     start with the grid of least local error for every tensor
 *     for each tensor whose method is open, the noisiest first:
 *       for each other grid that an error method chooses for it:
 *         keep it if the outputs are clearly closer to float than with the best so far
 *
 * "Clearly" is needed (`isClearlyLess`): without it the outputs of 10 held-out samples gained 1.4 dB on
 * EfficientNet-Lite0, and those of 250 other images lost 1.6. With it every tensor kept the grid of MSE there, 24.2 dB
 * beside the 23.0 of AUTO by local errors (64 samples, target default, measured).
 *
 * One model takes all grids as inputs (`tpc/emission/variable_grids.ts`), so that a trial costs its runs and nothing else. The
 * work is bounded by a count of runs, never by a clock: the same samples give the same choice on every machine.
 *
 * @module
 */
import { decibels } from "../../core/portable_math.ts";
import { PlimsollError } from "../../core/errors.ts";
import { option } from "../../core/option_words.ts";
import type { Manifest } from "../../tpc/manifest.ts";
import type { Model } from "../../onnx/file/model.ts";
import { placementFor } from "../search/placement.ts";
import type { Target } from "../../tpc/targets/target.ts";
import { makeGridsVariable } from "../../tpc/emission/variable_grids.ts";
import type { OnProgress } from "../../core/progress.ts";
import { mapStream } from "../../core/map_stream.ts";
import { streamOf } from "../../core/stream_of.ts";
import type { Sample } from "../../core/tensor.ts";
import { heldOutSamples } from "./held_out_samples.ts";
import { feedsFor, fixedBatch, modelInputs } from "../inference/infer.ts";
import { tokenFitter } from "../inference/fit_tokens.ts";
import { createSession } from "../inference/default_runtime.ts";
import type { Runtime } from "../inference/runtime.ts";
import { gridsOf } from "./grid_feeds.ts";
import { type Feeds, OutputLoss } from "./output_loss.ts";
import { type Candidate, candidateGrids } from "../search/candidate_grids.ts";
import type { ChosenMethod } from "../search/decide.ts";
import { gridStatistics } from "../search/grid_statistics.ts";
import { batchSamples } from "../source/batches.ts";
import type { Statistics } from "../statistics/statistics.ts";

/** Held-out samples that are compared; each costs a run for every grid that is tried. */
const MOST_HELD_OUT = 16;
/** Fewer runs have no standard error. */
const LEAST_RUNS = 2;
/** Runs when nobody says how many: about all that 60 tensors with two further grids each take. */
export const DEFAULT_AUTO_RUNS = 2000;

/** What {@linkcode chooseByOutput} needs. */
export interface ByOutputOptions {
  /** The prepared float model. */
  readonly model: Model;
  /** Some of its tensors have `auto` as their method. */
  readonly target: Target;
  /** Where models run; the default runtime when absent. */
  readonly runtime?: Runtime;
  /** Most runs of the quantized model, over one sample each, or over a batch where its size is fixed; default 2000. */
  readonly runs?: number;
  /** Told after every tensor. */
  readonly onProgress?: OnProgress;
  /** Stops between two tensors. */
  readonly signal?: AbortSignal;
}

/**
 * Chooses a method, with its grid, for each tensor that has `auto` and a grid of its own that the target doesn't fix.
 *
 * @param manifest Decided from the statistics with `auto` by local error, with weight steps.
 * @param samples Those of the statistics, in any order. Consumed.
 * @returns The choice by tensor, for `decide`.
 * @throws {PlimsollError} kind `data` where fewer than 2 samples (2 batches where their size is fixed) were held out.
 */
export async function chooseByOutput(
  statistics: Statistics,
  manifest: Manifest,
  samples: ReadableStream<Sample>,
  options: ByOutputOptions,
): Promise<Map<string, ChosenMethod>> {
  const { model, target, runs: most = DEFAULT_AUTO_RUNS, onProgress, signal } = options;
  const feeds = await heldOutFeeds(model, samples, signal);
  const open = openGrids(statistics, target);
  const variable = makeGridsVariable(model, manifest);
  await using session = await createSession(variable.model, {
    name: "the model of all grids",
    runtime: options.runtime,
  });
  const reference = await floatOutputs(model, statistics, feeds.runs, options.runtime);
  const loss = new OutputLoss(session, variable.inputs, feeds.runs, reference);

  const grids = gridsOf(manifest);
  for (const { tensor, candidates: [first] } of open) grids.set(tensor, first.levels);
  let best: readonly number[] = await loss.of(grids);
  const chosen = new Map<string, ChosenMethod>();
  for (const [done, { tensor, candidates }] of open.entries()) {
    signal?.throwIfAborted();
    const [first, ...others] = candidates;
    const isTried = loss.hasPower && loss.count + others.length * loss.length <= most;
    const trials: Trial[] = [{ ...first, losses: best }];
    let winner = trials[0];
    for (const candidate of isTried ? others : []) {
      const grid = new Map([...grids, [tensor, candidate.levels]]);
      const trial = { ...candidate, losses: await loss.of(grid, sum(winner.losses)) };
      trials.push(trial);
      if (isClearlyLess(trial.losses, winner.losses)) winner = trial;
    }
    best = winner.losses;
    grids.set(tensor, winner.levels);
    const reason = others.length > 0 && !isTried
      ? `auto: ${first.method} has the least squared error; outputs not compared, ` +
        (loss.hasPower
          ? `since ${most} runs don't suffice`
          : "since no float one is other than zero")
      : describe(winner, trials, feeds.samples);
    chosen.set(tensor, { method: winner.method, levels: winner.levels, reason });
    onProgress?.({ stage: "outputs", done: done + 1, total: open.length });
  }
  return chosen;
}

/** A grid with the losses of the outputs by run; fewer where the first ones were too much already. */
interface Trial extends Candidate {
  readonly losses: readonly number[];
}

/** Standard errors by which the outputs must be closer on average before a grid of more local error is taken. */
const CLEAR = 3;

/**
 * Whether losses are less than others of the same runs beyond chance: the mean of the differences d is at least
 * {@linkcode CLEAR} standard errors, s/√n with s² = Σ(d − mean)²/(n − 1). Every change of a grid moves values across
 * rounding borders and so the loss of each sample a little up or down.
 */
function isClearlyLess(losses: readonly number[], others: readonly number[]): boolean {
  const n = others.length;
  if (losses.length < n) return false;
  const differences = others.map((loss, i) => loss - losses[i]);
  const mean = sum(differences) / n;
  const variance = sum(differences.map((d) => (d - mean) * (d - mean))) / (n - 1);
  return mean > 0 && mean >= CLEAR * Math.sqrt(variance / n);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function describe(winner: Trial, trials: readonly Trial[], samples: number): string {
  if (trials.length === 1) return `auto: all methods choose the grid of ${winner.method}`;
  const least = sum(winner.losses);
  const others = trials.filter((trial) => trial !== winner).map(({ method, losses }) => {
    const isWhole = losses.length === winner.losses.length;
    const note = isWhole && sum(losses) < least ? " (no clear gain)" : "";
    return `${isWhole ? "" : "under "}${lossInDecibels(sum(losses))} with ${method}${note}`;
  });
  const text = [`${lossInDecibels(least)} dB with ${winner.method}`, ...others].join(", ");
  return `auto: outputs ${text} (${samples} held-out samples)`;
}

function lossInDecibels(loss: number): string {
  return loss === 0 ? "∞" : (-decibels(loss)).toFixed(2);
}

/** Held-out samples of a run, and how many are wanted at least and at most. */
export function heldOutCounts(
  graph: Model["graph"],
): { readonly size: number; readonly least: number; readonly most: number } {
  const size = fixedBatch(modelInputs(graph)) ?? 1;
  const least = LEAST_RUNS * size;
  return { size, least, most: Math.max(least, Math.floor(MOST_HELD_OUT / size) * size) };
}

/** Feeds of held-out samples, one run each; a run of the size that the model takes where that is fixed. */
async function heldOutFeeds(
  { graph }: Model,
  samples: ReadableStream<Sample>,
  signal: AbortSignal | undefined,
): Promise<{ samples: number; runs: Feeds[] }> {
  const inputs = modelInputs(graph);
  const { size, least, most } = heldOutCounts(graph);
  // Held out is what statistics hold out: they hash samples as they are run.
  const fitted = samples.pipeThrough(mapStream(tokenFitter(inputs)));
  const found = await heldOutSamples(fitted, most, signal);
  const whole = found.slice(0, found.length - found.length % size);
  if (whole.length < least) {
    throw new PlimsollError("data", {
      action: "choosing methods by the outputs",
      wanted: `at least ${least} held-out samples (one sample in eight is)`,
      found: `${found.length}`,
      remedy: `Give more calibration samples, or leave ${option("autoBy", "output")} out`,
    });
  }
  const batches = streamOf(whole).pipeThrough(batchSamples(size));
  const runs: Feeds[] = [];
  for await (const batch of batches) runs.push(feedsFor(batch, inputs));
  return { samples: whole.length, runs };
}

/** A tensor whose method is open, with the grids that it may have. */
interface OpenGrid {
  readonly tensor: string;
  readonly candidates: readonly Candidate[];
  readonly noise: number;
}

/** Open grids, those with the most noise first. */
function openGrids(statistics: Statistics, target: Target): OpenGrid[] {
  const { activations } = placementFor(statistics, target);
  const open: OpenGrid[] = [];
  const grids = gridStatistics(statistics.tensors, activations);
  for (const [tensor, { plan: { spec }, statistics: found }] of grids) {
    const isFixed = spec.fixedRange !== undefined || spec.fixedGrid !== undefined;
    if (spec.error !== "auto" || isFixed) continue;
    const candidates = candidateGrids(spec, found);
    if (candidates === undefined) continue;
    open.push({ tensor, candidates: candidates.grids, noise: candidates.noise });
  }
  return open.sort((a, b) => b.noise - a.noise);
}

/** The float32 outputs of the float model, run by run. */
async function floatOutputs(
  model: Model,
  { outline }: Statistics,
  runs: readonly Feeds[],
  runtime: Runtime | undefined,
) {
  const names = outline.outputs.filter(({ type }) => type === "float").map(({ name }) => name);
  await using session = await createSession(model, { name: "the float model", runtime });
  const outputs = [];
  for (const feeds of runs) {
    outputs.push(names.length > 0 ? await session.run(feeds, names) : new Map());
  }
  return outputs;
}
