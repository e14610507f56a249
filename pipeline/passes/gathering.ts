/**
 * What passes gather over samples, as values that travel: a pass can be cut into parts, each gathered by whoever has the
 * model and those samples, and the parts add up to exactly what one pass over all of them gives.
 *
 *     gatherPart(order, samples of a range) → part        mergeParts(order, parts) → part
 *
 * @module
 */
import { z } from "zod";
import { compactJson } from "../../core/canonical_json.ts";
import type { PlimsollError } from "../../core/errors.ts";
import { ExactSum } from "../../core/exact_sum.ts";
import type { Levels } from "../../core/grid.ts";
import { NoSampleError } from "../../core/no_sample_error.ts";
import type { OnProgress } from "../../core/progress.ts";
import type { Sample } from "../../core/tensor.ts";
import type { Model } from "../../onnx/file/model.ts";
import { rewritesSchema } from "../../onnx/rewrites/rewrites.ts";
import { targetSchema } from "../../tpc/targets/target.ts";
import type { Runtime } from "../inference/runtime.ts";
import { mergeStatistics } from "../statistics/merge_statistics.ts";
import { readPlim, writePlim } from "../statistics/plim.ts";
import { calibrateHere } from "./calibrate_here.ts";
import { type ErrorSums, gatherErrors, mergeErrors } from "./gather_errors.ts";
import { gatherLeast, type HashedSample, mergeLeast } from "./gather_least.ts";
import { gatherReach, mergeReach, type Reach } from "./gather_reach.ts";

const levels = z.strictObject({ step: z.number(), low: z.number(), high: z.number() });

/** What is gathered. */
export const gatheringSchema = z.discriminatedUnion("kind", [
  /** Statistics of all tensors that the target quantizes. */
  z.strictObject({ kind: z.literal("statistics"), onNonFinite: z.enum(["fail", "skip"]) }),
  /** How far activations reach, for rewrites. */
  z.strictObject({ kind: z.literal("reach") }),
  /** True errors of grids. */
  z.strictObject({
    kind: z.literal("errors"),
    stage: z.string(),
    grids: z.array(z.tuple([z.string(), z.array(levels)])),
  }),
  /** Which samples have the least SHA-256. */
  z.strictObject({
    kind: z.literal("least"),
    most: z.int().min(1),
    isHeldOut: z.boolean(),
  }),
]);

/** All that decides what a pass over samples gathers, but for the model and the samples. */
export const orderSchema = z.strictObject({
  gathering: gatheringSchema,
  /** Of the prepared model. */
  rewrites: rewritesSchema,
  target: targetSchema,
  /** What the data set is; whoever reads another one refuses. */
  source: z.string().optional(),
  /** SHA-256 of the preprocessing. */
  preprocessing: z.string().optional(),
  /** Samples per run; by their size when absent. */
  batch: z.int().min(1).optional(),
});

/** See {@linkcode gatheringSchema}. */
export type Gathering = Readonly<z.infer<typeof gatheringSchema>>;

/** See {@linkcode orderSchema}. */
export type PassOrder = Readonly<z.infer<typeof orderSchema>>;

/** The model of an order, and who is told. */
export interface PartOptions {
  /** The prepared model, with the order's rewrites. */
  readonly model: Model;
  /** SHA-256 of the model file as it was given. */
  readonly modelSha256: string;
  /** Where the model runs; the default runtime when absent. */
  readonly runtime?: Runtime;
  /** Number of samples to come, for progress. */
  readonly total?: number;
  /** Told after every batch. */
  readonly onProgress?: OnProgress;
  /** Told each sample that is left out. */
  readonly onSkip?: (reason: PlimsollError) => void;
  /** Asked after every batch; true ends the part there. */
  readonly isEnough?: () => boolean;
  /** Stops all stages. */
  readonly signal?: AbortSignal;
}

/** What was gathered, as bytes. */
export interface GatheredPart {
  /** Undefined where no sample came, or none that could be read. */
  readonly part: Uint8Array<ArrayBuffer> | undefined;
  /** Position behind the last sample that is in it; undefined where no sample came. */
  readonly next: number | undefined;
  /** Samples in it. */
  readonly samples: number;
}

/**
 * Gathers over the samples, which come in the order of their positions.
 *
 * @throws {PlimsollError} what `calibrate` throws, but for samples that didn't come.
 */
export async function gatherPart(
  order: PassOrder,
  samples: ReadableStream<Sample>,
  { modelSha256, onProgress, isEnough = () => false, ...options }: PartOptions,
): Promise<GatheredPart> {
  const { gathering, target, batch } = order;
  const read: number[] = [];
  let done = 0;
  const pass = {
    ...options,
    target,
    batch,
    onProgress: (progress: Parameters<OnProgress>[0]) => {
      done = progress.done;
      onProgress?.(progress);
    },
  };
  const noted = samples.pipeThrough(noteIndexes(read));
  try {
    const part = await gather(gathering);
    const next = read.length === 0 ? undefined : read[Math.max(0, done - 1)] + 1;
    return { part, next, samples: done };
  } catch (error) {
    if (!(error instanceof NoSampleError)) throw error;
    return { part: undefined, next: undefined, samples: 0 };
  }

  async function gather(gathering: Gathering): Promise<Uint8Array<ArrayBuffer>> {
    switch (gathering.kind) {
      case "statistics": {
        const { rewrites, source, preprocessing } = order;
        const { onNonFinite } = gathering;
        const own = { modelSha256, rewrites, source, preprocessing, onNonFinite, isEnough };
        return await writePlim(await calibrateHere(noted, { ...pass, ...own }));
      }
      case "reach":
        return toBytes(reachToJson(await gatherReach(noted, pass, isEnough)));
      case "errors": {
        const grids = new Map(gathering.grids);
        return toBytes(
          errorsToJson(await gatherErrors(grids, noted, pass, gathering.stage, isEnough)),
        );
      }
      case "least":
        return toBytes(await gatherLeast(noted, { ...pass, ...gathering }, isEnough));
    }
  }
}

/** Notes positions on their way. */
function noteIndexes(read: number[]): TransformStream<Sample, Sample> {
  return new TransformStream<Sample, Sample>(
    {
      transform: (sample, controller) => {
        read.push(sample.index);
        controller.enqueue(sample);
      },
    },
    undefined,
    { highWaterMark: 0 },
  );
}

/**
 * What all parts together come to.
 *
 * @param parts At least one, of the same order and different samples.
 * @throws {PlimsollError} kind `data` for parts that don't belong together, and `input` for damaged ones.
 */
export async function mergeParts(
  { gathering }: Pick<PassOrder, "gathering">,
  parts: readonly Uint8Array[],
): Promise<Uint8Array<ArrayBuffer>> {
  if (parts.length === 1) return new Uint8Array(parts[0]);
  switch (gathering.kind) {
    case "statistics":
      return await writePlim(
        mergeStatistics(
          await Promise.all(parts.map((part, i) => readPlim(part, `part ${i + 1}`))),
        ),
      );
    case "reach":
      return toBytes(reachToJson(mergeReach(parts.map(readReach))));
    case "errors":
      return toBytes(errorsToJson(mergeErrors(parts.map(readErrors))));
    case "least":
      return toBytes(mergeLeast(parts.map(readLeast), gathering.most));
  }
}

const reachSchema = z.strictObject({
  maxima: z.array(z.tuple([z.string(), z.array(z.string())])),
  ranges: z.array(z.tuple([z.string(), z.string(), z.string()])),
});

/** Numbers as text, since JSON knows no infinity. */
function reachToJson({ maxima, ranges }: Reach): z.infer<typeof reachSchema> {
  return {
    maxima: [...maxima].map(([tensor, values]) => [tensor, Array.from(values, String)]),
    ranges: [...ranges].map(([tensor, [min, max]]) => [tensor, String(min), String(max)]),
  };
}

/** Ranges of a part. */
export function readReach(part: Uint8Array): Reach {
  const { maxima, ranges } = reachSchema.parse(fromBytes(part));
  return {
    maxima: new Map(
      maxima.map(([tensor, values]) => [tensor, Float64Array.from(values.map(Number))]),
    ),
    ranges: new Map(ranges.map(([tensor, min, max]) => [tensor, [Number(min), Number(max)]])),
  };
}

const errorsSchema = z.array(z.tuple([
  z.string(),
  z.int(),
  z.array(z.tuple([z.string(), z.string()])),
]));

function errorsToJson(sums: ErrorSums): z.infer<typeof errorsSchema> {
  return [...sums].map(([tensor, { elements, grids }]) => [
    tensor,
    elements,
    grids.map(({ squared, absolute }) => [`${squared}`, `${absolute}`]),
  ]);
}

/** Sums of errors of a part. */
export function readErrors(part: Uint8Array): ErrorSums {
  return new Map(
    errorsSchema.parse(fromBytes(part)).map(([tensor, elements, grids]) => [tensor, {
      elements,
      grids: grids.map(([squared, absolute]) => ({
        squared: ExactSum.parse(squared),
        absolute: ExactSum.parse(absolute),
      })),
    }]),
  );
}

const leastSchema = z.array(z.tuple([z.string(), z.int()]));

/** Samples of a part. */
export function readLeast(part: Uint8Array): HashedSample[] {
  return leastSchema.parse(fromBytes(part));
}

/** Grids as an order has them. */
export function gridsOf(grids: ReadonlyMap<string, readonly Levels[]>): [string, Levels[]][] {
  return [...grids].map(([tensor, all]) => [tensor, [...all]]);
}

function toBytes(value: unknown): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(compactJson(value));
}

function fromBytes(bytes: Uint8Array): unknown {
  return JSON.parse(new TextDecoder().decode(bytes));
}
