/**
 * What a model whose grids are inputs is fed with (`tpc/emission/variable_grids.ts`).
 *
 * @module
 */
import type { Levels } from "../../core/grid.ts";
import { streamOf } from "../../core/stream_of.ts";
import type { InputTensor, Sample } from "../../core/tensor.ts";
import type { VariableGrids } from "../../tpc/emission/variable_grids.ts";
import type { Manifest } from "../../tpc/manifest.ts";
import { tokenFitter } from "../inference/fit_tokens.ts";
import { batchSizeFor, feedsFor, type ModelInput } from "../inference/infer.ts";
import { levelsOf } from "../search/levels_of.ts";
import { batchSamples } from "../source/batches.ts";

/** A run of a model: what it is fed with, and how many samples that are. */
export interface SampleRun {
  readonly samples: number;
  readonly feeds: ReadonlyMap<string, InputTensor>;
}

/** One run a sample, or a batch where its size is fixed. */
export async function runsOf(
  samples: readonly Sample[],
  inputs: readonly ModelInput[],
): Promise<SampleRun[]> {
  const runs: SampleRun[] = [];
  const batches = streamOf(samples).pipeThrough(
    batchSamples(batchSizeFor(inputs, 1), tokenFitter(inputs)),
  );
  for await (const batch of batches) {
    runs.push({ samples: batch.samples.length, feeds: feedsFor(batch, inputs) });
  }
  return runs;
}

/** The grids of a manifest by the tensor that has them. */
export function gridsOf({ activations }: Manifest): Map<string, Levels> {
  return new Map(
    activations.filter(({ sameAs }) => sameAs === undefined).map((entry) =>
      [entry.tensor, levelsOf(entry)] as const
    ),
  );
}

/** The inputs that hold grids. */
export function gridFeeds(
  inputs: VariableGrids["inputs"],
  grids: ReadonlyMap<string, Levels>,
): Map<string, InputTensor> {
  const feeds = new Map<string, InputTensor>();
  for (const [tensor, names] of inputs) {
    const { step, low, high } = grids.get(tensor)!;
    feeds.set(names.step, scalar(step)).set(names.low, scalar(low)).set(names.high, scalar(high));
  }
  return feeds;
}

/** A float32 scalar. */
export function scalar(value: number): InputTensor {
  return { data: Float32Array.of(value), dims: [] };
}
