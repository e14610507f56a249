/**
 * How long each node of some models takes, by the runtime's profiler.
 *
 * @module
 */
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
  /** Median over the runs, nanoseconds. */
  readonly nanoseconds: number;
  /** Elements of its first output. */
  readonly elements: number;
}

/** How {@linkcode measureKernels} measures. */
export interface MeasureOptions {
  /** Runs of each model that count, default 15. */
  readonly runs?: number;
  readonly runtime?: Runtime;
  readonly signal?: AbortSignal;
}

/** Runs that don't count: the first ones allocate memory, and engines compile what they meet again. */
const WARM_UP = 3;

/**
 * Runs models in turns, so that all see the same machine, and gives the median of every node.
 *
 * @param models With a name for each node; see `nameNodes`.
 * @throws {PlimsollError} kind `runtime` when the runtime refuses a model.
 */
export async function measureKernels(
  models: readonly { readonly name: string; readonly model: Model }[],
  feeds: ReadonlyMap<string, InputTensor>,
  { runs = 15, runtime, signal }: MeasureOptions = {},
): Promise<KernelTime[][]> {
  await using stack = new SessionStack();
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
    }
  } catch (error) {
    // Left to itself, the runtime prints the profile.
    for (const session of sessions) session.endProfiling();
    throw error;
  }
  return sessions.map((session) => medians(parseEvents(session.endProfiling())));
}

function medians(events: readonly KernelEvent[]): KernelTime[] {
  const byNode = new Map<string, KernelEvent[]>();
  for (const event of events) {
    const list = byNode.get(event.node);
    if (list === undefined) byNode.set(event.node, [event]);
    else list.push(event);
  }
  return [...byNode].map(([node, list]) => {
    const times = list.slice(WARM_UP).map(({ microseconds }) => microseconds)
      .sort((a, b) => a - b);
    const median = times[times.length >> 1] ?? list.at(-1)!.microseconds;
    return { node, kernel: list[0].kernel, nanoseconds: median * 1000, elements: list[0].elements };
  });
}
