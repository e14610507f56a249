/**
 * Which kernels the runtime runs for a model, read from its profiler.
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";
import type { KernelRun } from "../../tpc/emission/fusion.ts";
import type { Model } from "../../onnx/file/model.ts";
import type { Tensor } from "../../core/tensor.ts";
import { createSession } from "./default_runtime.ts";

/** What a profile event ends its node's name with. */
const SUFFIX = "_kernel_time";

/**
 * Runs a model once and returns the kernels that ran, in their order.
 *
 * @param name What messages call the model.
 * @throws {PlimsollError} kind `runtime` when the runtime refuses the model or gives no profile.
 */
export async function profileKernels(
  model: Model,
  feeds: ReadonlyMap<string, Tensor>,
  name: string,
): Promise<KernelRun[]> {
  await using session = await createSession(model, { name, profile: true });
  await session.run(feeds, session.outputs).catch((error) => {
    // Left to itself, the runtime prints the profile.
    session.endProfiling();
    throw error;
  });
  const kernels = parseProfile(session.endProfiling());
  if (kernels.length > 0) return kernels;
  throw new PlimsollError("runtime", {
    action: `profiling ${name}`,
    wanted: "a profile with the kernels that ran",
    found: "none",
    remedy: "Profile under Deno or Node, where the runtime's output can be read",
  });
}

/** One event of a profile, as far as it is read here. */
interface ProfileEvent {
  readonly name: string;
  readonly dur: number;
  readonly args?: {
    readonly op_name?: string;
    readonly input_type_shape?: readonly Readonly<Record<string, unknown>>[];
    readonly output_type_shape?: readonly Readonly<Record<string, unknown>>[];
  };
}

/** A kernel that ran, with the size of what it made. */
export interface KernelEvent extends KernelRun {
  /** Elements of its first output. */
  readonly elements: number;
}

/** Kernels of a profile that onnxruntime-web printed. */
export function parseProfile(text: string): KernelRun[] {
  return parseEvents(text).map(({ elements: _, ...run }) => run);
}

/** As {@linkcode parseProfile}, with sizes. */
export function parseEvents(text: string): KernelEvent[] {
  const events: ProfileEvent[] = [];
  for (const line of text.split("\n")) {
    const event = line.trim().replace(/,$/, "");
    if (event.startsWith("{")) events.push(JSON.parse(event));
  }
  return events.flatMap(({ name, dur, args }) =>
    name.endsWith(SUFFIX) && args?.op_name !== undefined
      ? [{
        node: name.slice(0, -SUFFIX.length),
        kernel: args.op_name,
        inputs: types(args.input_type_shape),
        outputs: types(args.output_type_shape),
        microseconds: dur,
        elements: elementsOf(args.output_type_shape),
      }]
      : []
  );
}

function types(list: readonly Readonly<Record<string, unknown>>[] = []): string[] {
  return list.flatMap((entry) => Object.keys(entry));
}

function elementsOf([first]: readonly Readonly<Record<string, unknown>>[] = []): number {
  const [shape] = first === undefined ? [] : Object.values(first);
  return Array.isArray(shape) ? shape.reduce((product, size) => product * Number(size), 1) : 0;
}
