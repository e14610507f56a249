/**
 * How long each node of some models takes, by the runtime's profiler. Its clock is the page's in a browser, which may count
 * in steps of 100 µs so that pages can't spy on others: then many runs are averaged, since a duration is rounded up as
 * often as its fraction of a step says.
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";
import type { OnProgress } from "../../core/progress.ts";
import type { InputTensor } from "../../core/tensor.ts";
import type { Model } from "../../onnx/file/model.ts";
import { createSession } from "../inference/default_runtime.ts";
import { type KernelEvent, parseEvents } from "../inference/profile.ts";
import type { Runtime } from "../inference/runtime.ts";
import { SessionStack } from "../inference/session_stack.ts";

/** A node that ran. */
export interface KernelTime {
  /** Node, as the runtime calls it. */
  readonly node: string;
  /** Operator of the kernel, as QLinearConv. */
  readonly kernel: string;
  /** Median over the runs, nanoseconds; the mean without outliers where the clock is coarse. */
  readonly nanoseconds: number;
  /** Elements of its first output. */
  readonly elements: number;
}

/** How {@linkcode measureKernels} measures. */
export interface MeasureOptions {
  /** Runs of each model that count, default 15, or 120 where the clock is coarse. */
  readonly runs?: number;
  /** Told after every turn. */
  readonly onProgress?: OnProgress;
  /** Where models run; the default runtime when absent. */
  readonly runtime?: Runtime;
  /** Stops before the next run. */
  readonly signal?: AbortSignal;
}

/** Runs that don't count: the first ones allocate memory, and engines compile what they meet again. */
const WARM_UP = 3;

/** Runs that count when nobody says how many, by whether the clock is fine. */
const RUNS = { fine: 15, coarse: 120 };
/** Steps of a clock that a median is right for: far less than most kernels take. Milliseconds. */
const FINE_STEP = 0.02;

/**
 * Runs models in turns, so that all see the same machine.
 *
 * @param models With a name for each node; see `nameNodes`.
 * @returns What every node of each model took, and the runs that it follows from.
 * @throws {PlimsollError} kind `runtime` when the runtime refuses a model or gives no profile.
 */
export async function measureKernels(
  models: readonly { readonly name: string; readonly model: Model }[],
  feeds: ReadonlyMap<string, InputTensor>,
  { runs: wanted, runtime, signal, onProgress, step = clockStep() }: MeasureOptions & {
    /** Milliseconds that the runtime's clock counts in; those of this page's when absent. */
    readonly step?: number;
  } = {},
): Promise<{ kernels: KernelTime[][]; runs: number }> {
  await using stack = new SessionStack();
  const isFine = step <= FINE_STEP;
  const runs = wanted ?? (isFine ? RUNS.fine : RUNS.coarse);
  const sessions = [];
  for (const { name, model } of models) {
    sessions.push(stack.use(await createSession(model, { name, profile: true, runtime })));
  }
  try {
    for (let run = 0; run < WARM_UP + runs; run++) {
      for (const session of sessions) {
        signal?.throwIfAborted();
        await session.run(feeds, session.outputs);
      }
      onProgress?.({ stage: "profile", done: run + 1, total: WARM_UP + runs });
    }
  } catch (error) {
    // Left to itself, the runtime prints the profile.
    for (const session of sessions) session.endProfiling();
    throw error;
  }
  const typical = isFine ? median : (times: readonly number[]) => meanOf(times, step * 1000);
  return {
    runs,
    kernels: sessions.map((session, i) => {
      const events = parseEvents(session.endProfiling());
      if (events.length === 0) throw noProfile(models[i].name);
      return timesOf(events, typical);
    }),
  };
}

/** What each node took, by its runs but the first ones. */
function timesOf(
  events: readonly KernelEvent[],
  typical: (microseconds: readonly number[]) => number,
): KernelTime[] {
  const byNode = new Map<string, KernelEvent[]>();
  for (const event of events) {
    const list = byNode.get(event.node);
    if (list === undefined) byNode.set(event.node, [event]);
    else list.push(event);
  }
  return [...byNode].map(([node, list]) => {
    const counted = list.length > WARM_UP ? list.slice(WARM_UP) : list.slice(-1);
    const microseconds = typical(counted.map(({ microseconds }) => microseconds));
    return {
      node,
      kernel: list[0].kernel,
      nanoseconds: microseconds * 1000,
      elements: list[0].elements,
    };
  });
}

function median(times: readonly number[]): number {
  return times.toSorted((a, b) => a - b)[times.length >> 1];
}

/**
 * Mean of durations that were rounded to steps, up or down by chance; without those that something else interrupted.
 *
 * @param step In the unit of the times.
 */
export function meanOf(times: readonly number[], step: number): number {
  const middle = median(times);
  const counted = times.filter((time) => time <= 2 * middle + 2 * step);
  return counted.reduce((sum, time) => sum + time, 0) / counted.length;
}

/** Looks at a clock that doesn't move until it is believed to stand still, as it does in some clouds. */
const MOST_LOOKS = 1e7;

/** The least milliseconds that this page's clock moves by; infinite where it stands. */
function clockStep(): number {
  let least = Infinity;
  let looks = 0;
  for (let i = 0; i < 8; i++) {
    const start = performance.now();
    let now = start;
    while (now === start && looks++ < MOST_LOOKS) now = performance.now();
    if (now > start) least = Math.min(least, now - start);
  }
  return least;
}

function noProfile(name: string): PlimsollError {
  return new PlimsollError("runtime", {
    action: `profiling ${name}`,
    wanted: "a profile with the kernels that ran",
    found: "none",
    remedy: "Profile with onnxruntime-web, under Deno, Node or in a browser",
  });
}
