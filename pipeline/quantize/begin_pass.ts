/**
 * The beginning of a pass: it is announced, and its samples are opened.
 *
 * @module
 */
import { numbered, type OnProgress } from "../../core/progress.ts";
import type { SampleOpener } from "../source/samples.ts";
import type { Planned } from "./plan_passes.ts";
import type { Pass, RunOptions } from "./run.ts";

/** A pass that has begun. */
export type Begun = Awaited<ReturnType<typeof begin>>;

/** Announces a pass and opens its samples. */
export async function begin(
  stage: Pass["stage"],
  index: number,
  groups: readonly (readonly Planned[])[],
  { opener, options, skip }: {
    readonly opener: SampleOpener;
    readonly options: RunOptions;
    readonly skip?: (index: number) => boolean;
  },
) {
  const [number, count] = [index + 1, groups.length];
  const pass: Pass = { stage, number, count, variants: groups[index].map(({ name }) => name) };
  const { batch, signal, runtime, onEvent } = options;
  await onEvent?.({ kind: "pass", pass });
  const opened = await opener.open(skip);
  const onProgress = numbered(progressOf(options), number, count);
  const total = countLeft(opened.count, skip);
  return {
    samples: opened.samples,
    opened,
    pass,
    run: { batch, signal, runtime, onProgress, total },
  };
}

/** Samples of `count` that aren't skipped. */
function countLeft(
  count: number | undefined,
  skip: ((index: number) => boolean) | undefined,
): number | undefined {
  if (count === undefined || skip === undefined) return count;
  let left = 0;
  for (let index = 0; index < count; index++) if (!skip(index)) left++;
  return left;
}

/** Progress as events. */
export function progressOf({ onEvent }: RunOptions): OnProgress | undefined {
  return onEvent && ((progress) => void onEvent({ kind: "progress", progress }));
}
