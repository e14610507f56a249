/**
 * Every written model has been run: loaded at each of the runtime's optimization levels, run on a few samples, and
 * compared. What an optimizer or an integer kernel does wrong shows as a difference between levels: `disabled` runs every
 * node as it is written.
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";
import { option } from "../../core/option_words.ts";
import type { InputTensor, Tensor } from "../../core/tensor.ts";
import type { Model } from "../../onnx/file/model.ts";
import { outlineGraph } from "../../onnx/graph/outline.ts";
import { readQuantizers } from "../../onnx/quantized/read_quantizers.ts";
import { figuresOfRuns } from "../evaluate/output_figures.ts";
import { createSession } from "../inference/default_runtime.ts";
import { exposeTensors } from "../inference/infer.ts";
import type { Runtime } from "../inference/runtime.ts";

/** Inputs of one run, by name, and how many samples they are. */
export interface CheckRun {
  readonly feeds: ReadonlyMap<string, InputTensor>;
  readonly samples: number;
}

/** The runtime's levels, the plain one first. */
const LEVELS = ["disabled", "basic", "extended", "all"] as const;
/** One of {@linkcode LEVELS}. */
export type Level = (typeof LEVELS)[number];

/** What is wrong with a model at one level. */
export interface Fault {
  readonly level: Level;
  /** Node that the runtime names, or whose output first differs; undefined when nobody knows. */
  readonly node?: string;
  /** In words. */
  readonly what: string;
}

/** SQNR in dB by which a level may be below `disabled`: kernels round sums in another order, and codes once more. */
const ALLOWED_LOSS = 6;
/** Above this SQNR against float a level is good, whatever `disabled` has. */
const GOOD_SQNR = 30;
/** SQNR in dB from which a slice of an output is good; below, it may have this much less than a whole output may. */
const GOOD_SLICE = { sqnr: 20, loss: 3 };
/** SQNR of a tensor between two levels below which it is another tensor. */
const OTHER_SQNR = 15;

/** Outputs of the model at all levels, and what is wrong with it. */
export interface ModelCheck {
  /** Outputs at level `all`, run by run; fewer where it doesn't run. */
  readonly outputs: readonly ReadonlyMap<string, Tensor>[];
  /** The first fault that was found. */
  readonly fault?: Fault;
}

/**
 * Loads and runs a quantized model at every level.
 *
 * @param reference Outputs of the float model, run by run.
 * @param levelRuns Runs at the levels below `all`, at most.
 */
export async function checkModel(
  model: Model,
  runs: readonly CheckRun[],
  reference: readonly ReadonlyMap<string, Tensor>[],
  { runtime, levelRuns, allowedLoss = ALLOWED_LOSS, signal }: {
    readonly runtime?: Runtime;
    readonly levelRuns: number;
    /** dB by which a level may be below `disabled`; inputs that no calibration has seen take more. */
    readonly allowedLoss?: number;
    readonly signal?: AbortSignal;
  },
): Promise<ModelCheck> {
  let plain: Map<string, Quality> | undefined;
  for (const level of LEVELS) {
    signal?.throwIfAborted();
    const isLast = level === "all";
    const part = isLast ? runs : runs.slice(0, levelRuns);
    let outputs: Map<string, Tensor>[];
    try {
      outputs = await outputsAt(model, level, part, runtime);
    } catch (error) {
      if (!(error instanceof PlimsollError && error.kind === "runtime")) throw error;
      const what = error.parts.found;
      return { outputs: [], fault: { level, what, node: nodeIn(what, model) } };
    }
    const qualities = qualityByOutput(outputs.slice(0, levelRuns), reference, part);
    plain ??= qualities;
    for (const [name, quality] of qualities) {
      if (Number.isNaN(quality.sqnr)) {
        return { outputs, fault: { level, what: `output ${name} is NaN or infinite` } };
      }
      const what = worseThan(quality, plain.get(name)!, allowedLoss);
      if (what === undefined) continue;
      const node = await firstDifference(model, level, part.slice(0, 2), runtime);
      return { outputs, fault: { level, what: `output ${name} ${what}`, node } };
    }
    if (isLast) return { outputs };
  }
  return { outputs: [] };
}

async function outputsAt(
  model: Model,
  optimization: Level,
  runs: readonly CheckRun[],
  runtime: Runtime | undefined,
): Promise<Map<string, Tensor>[]> {
  await using session = await createSession(model, {
    name: `the quantized model, optimizations ${optimization},`,
    optimization,
    runtime,
  });
  const outputs: Map<string, Tensor>[] = [];
  for (const { feeds } of runs) outputs.push(await session.run(feeds, session.outputs));
  return outputs;
}

/** How near to float an output is, in dB. */
interface Quality {
  /** Of the whole, or of the median sample where that is higher; NaN where it isn't finite. */
  readonly sqnr: number;
  /** Of the worst slice. */
  readonly slice: number;
}

/** In what an output at some level is worse than without optimizations by more than kernels differ; undefined if not. */
function worseThan(found: Quality, plain: Quality, allowed: number): string | undefined {
  const say = (one: number, other: number) =>
    `${one.toFixed(1)} dB against float, and ${other.toFixed(1)} dB without optimizations`;
  if (found.sqnr < plain.sqnr - allowed && found.sqnr < GOOD_SQNR) {
    return `has ${say(found.sqnr, plain.sqnr)}`;
  }
  if (found.slice < plain.slice - allowed - GOOD_SLICE.loss && found.slice < GOOD_SLICE.sqnr) {
    return `has a slice with ${say(found.slice, plain.slice)}`;
  }
  return undefined;
}

function qualityByOutput(
  outputs: readonly ReadonlyMap<string, Tensor>[],
  reference: readonly ReadonlyMap<string, Tensor>[],
  runs: readonly CheckRun[],
): Map<string, Quality> {
  return new Map(
    figuresOfRuns(outputs, reference, runs).filter(({ kind }) => kind !== "codes").map(
      ({ output, sqnr, medianSqnr, worstSlice, isFinite }) => {
        const best = Math.max(sqnr ?? Infinity, medianSqnr ?? Infinity);
        const slice = worstSlice?.sqnr ?? Infinity;
        return [output, { sqnr: isFinite ? best : NaN, slice }] as const;
      },
    ),
  );
}

/** The producer of the first quantized tensor that a level makes another one of. */
async function firstDifference(
  model: Model,
  level: Level,
  runs: readonly CheckRun[],
  runtime: Runtime | undefined,
): Promise<string | undefined> {
  const { activations } = readQuantizers(model);
  const ends = new Map(
    activations.flatMap(({ dequantized, producer }) =>
      dequantized.length === 0 || producer === null
        ? []
        : [[dequantized[0], producer.node] as const]
    ),
  );
  const exposed = exposeTensors(model, [...ends.keys()]);
  try {
    const [plain, found] = [
      await outputsAt(exposed, "disabled", runs, runtime),
      await outputsAt(exposed, level, runs, runtime),
    ];
    const qualities = qualityByOutput(found, plain, runs);
    return [...ends].find(([name]) => (qualities.get(name)?.sqnr ?? Infinity) < OTHER_SQNR)?.[1];
  } catch {
    // Exposed, the model may not load where it did before.
    return undefined;
  }
}

/** A node of the model that a message of the runtime names. */
function nodeIn(message: string, model: Model): string | undefined {
  const names = outlineGraph(model.graph).nodes.map(({ name }) => name).filter((name) =>
    name.length > 2 && message.includes(name)
  );
  return names.toSorted((a, b) => b.length - a.length)[0];
}

/** The error about a model that isn't what it should be. */
export function faultError({ level, what, node }: Fault): PlimsollError {
  return new PlimsollError("model", {
    action: "running the quantized model before it is written",
    wanted: "the runtime to compute what is written, at every level of its optimizations",
    found: `${what}, at level ${level}${node === undefined ? "" : `; ${node} is where it begins`}`,
    remedy: node === undefined
      ? `Leave parts of the model float with ${option("override")}, or report it with the model`
      : `Leave it float: ${
        option("override", `'{"match": {"node": ${JSON.stringify(node)}}, "quantize": false}'`)
      }`,
  });
}
