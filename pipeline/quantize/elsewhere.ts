/**
 * Passes that are gathered elsewhere, on other machines: what the pipeline asks of whoever arranges that, and what it does
 * with the answers. Results have the bytes that this machine alone would give.
 *
 * @module
 */
import { compactJson } from "../../core/canonical_json.ts";
import { sha256 } from "../../core/hash.ts";
import { NoSampleError } from "../../core/no_sample_error.ts";
import type { OnProgress } from "../../core/progress.ts";
import type { Sample } from "../../core/tensor.ts";
import { fixedBatch, modelInputs } from "../inference/infer.ts";
import { type Grids, meanErrors, type TrueError } from "../passes/gather_errors.ts";
import {
  type Gathering,
  gatherPart,
  gridsOf,
  type PassOrder,
  readErrors,
  readLeast,
} from "../passes/gathering.ts";
import type { SampleOpener } from "../source/samples.ts";
import type { Target } from "../../tpc/targets/target.ts";
import type { Begun } from "./begin_pass.ts";
import type { FloatModel } from "./float_model.ts";
import type { RunOptions } from "./run.ts";

/** A pass to be gathered elsewhere. */
export interface PassElsewhere {
  /** What is gathered, of what. */
  readonly order: PassOrder;
  /** Positions [start, end) of its samples, ascending. */
  readonly ranges: readonly (readonly [number, number])[];
  /** Parts other than the last must have a multiple of so many samples. */
  readonly multiple: number;
  /** What progress calls it. */
  readonly stage: string;
  /** Finds out how many samples this machine gathers a second, on a few of them: what is wrong with them is thrown. */
  readonly measure: () => Promise<number>;
  /** Told how far the pass is. */
  readonly onProgress?: OnProgress;
  /** Ends it. */
  readonly signal?: AbortSignal;
}

/** Gathers passes on other machines. */
export interface Elsewhere {
  /**
   * Gathers a pass, and gives its parts merged; undefined where no sample came.
   *
   * @throws {PlimsollError} what this machine would have thrown, and kind `runtime` where the others can't be reached.
   */
  gather(pass: PassElsewhere): Promise<Uint8Array<ArrayBuffer> | undefined>;
}

/** What {@linkcode gatherElsewhere} needs. */
interface GatheringElsewhere {
  readonly gathering: Gathering;
  readonly float: FloatModel;
  readonly target: Target;
  readonly stage: string;
  readonly opener: SampleOpener;
  /** The pass; its samples are let go of. */
  readonly begun: Pick<Begun, "samples" | "opened" | "run">;
  /** Samples that don't belong to the pass. */
  readonly skip?: (index: number) => boolean;
}

/**
 * Gathers a pass elsewhere.
 *
 * @throws {PlimsollError} kind `data` where no sample came, and what {@linkcode Elsewhere.gather} throws.
 */
export async function gatherElsewhere(
  elsewhere: Elsewhere,
  { gathering, float, target, stage, opener, begun, skip }: GatheringElsewhere,
  { batch, signal, runtime }: RunOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const { samples, opened: { source, preprocessing, count: known }, run: { onProgress } } = begun;
  if (!samples.locked) await samples.cancel().catch(() => {});
  const order: PassOrder = {
    gathering,
    rewrites: float.rewrites,
    target,
    source,
    preprocessing: preprocessing && await sha256(compactJson(preprocessing)),
    batch,
  };
  const count = known ?? await countSamples(opener, signal);
  const ranges = rangesOf(count, skip);
  const part = ranges.length === 0 ? undefined : await elsewhere.gather({
    order,
    ranges,
    stage,
    multiple: fixedBatch(modelInputs(float.prepared.graph)) ?? 1,
    measure: async () => {
      const { samples } = await opener.open(skip);
      const start = performance.now();
      let warm: { time: number; done: number } | undefined;
      const { samples: done } = await gatherPart(order, samples, {
        model: float.prepared,
        modelSha256: float.sha256,
        runtime,
        signal,
        // The first run warms up.
        onProgress: (progress) => void (warm ??= { time: performance.now(), done: progress.done }),
        isEnough: () => performance.now() - (warm?.time ?? Infinity) > MEASURE_MS,
      });
      const { time, done: before } = warm !== undefined && warm.done < done
        ? warm
        : { time: start, done: 0 };
      return Math.max(1, done - before) * 1000 / Math.max(performance.now() - time, 1);
    },
    onProgress,
    signal,
  });
  if (part === undefined) throw new NoSampleError(stage);
  return part;
}

/** The true errors of grids, gathered elsewhere. */
export async function errorsElsewhere(
  elsewhere: Elsewhere,
  grids: Grids,
  pass: Omit<GatheringElsewhere, "gathering">,
  options: RunOptions,
): Promise<Map<string, TrueError[]>> {
  const gathering = { kind: "errors", stage: pass.stage, grids: gridsOf(grids) } as const;
  const part = await gatherElsewhere(elsewhere, { ...pass, gathering }, options);
  return meanErrors(grids, readErrors(part));
}

/**
 * The samples of the least SHA-256, chosen elsewhere and opened here.
 *
 * @throws {PlimsollError} what {@linkcode gatherElsewhere} throws.
 */
export async function leastElsewhere(
  elsewhere: Elsewhere,
  { most, isHeldOut, ...pass }: Omit<GatheringElsewhere, "gathering"> & {
    readonly most: number;
    readonly isHeldOut: boolean;
  },
  options: RunOptions,
): Promise<ReadableStream<Sample>> {
  const gathering = { kind: "least", most, isHeldOut } as const;
  const part = await gatherElsewhere(elsewhere, { ...pass, gathering }, options);
  const chosen = new Set(readLeast(part).map(([_, index]) => index));
  return (await pass.opener.open((index) => !chosen.has(index))).samples;
}

/** How long this machine is measured. */
const MEASURE_MS = 250;

/** Positions below `count` that aren't skipped, as ranges. */
function rangesOf(
  count: number,
  skip: (index: number) => boolean = () => false,
): (readonly [number, number])[] {
  const ranges: [number, number][] = [];
  for (let index = 0; index < count; index++) {
    if (skip(index)) continue;
    const last = ranges.at(-1);
    if (last?.[1] === index) last[1]++;
    else ranges.push([index, index + 1]);
  }
  return ranges;
}

/** Counts samples whose container doesn't say how many they are: reads all and decodes none. */
async function countSamples(
  opener: SampleOpener,
  signal: AbortSignal | undefined,
): Promise<number> {
  let count = 0;
  const { samples } = await opener.open((index) => {
    count = Math.max(count, index + 1);
    return true;
  });
  await samples.pipeTo(new WritableStream(), { signal });
  return count;
}

/** Reads samples until a stage has kept enough of them, and lets go of the others. */
export async function readSome(samples: ReadableStream<Sample>, most: number): Promise<void> {
  const reader = samples.getReader();
  for (let i = 0; i < most && !(await reader.read()).done; i++);
  await reader.cancel().catch(() => {});
}
