/**
 * A thread's side of the conversation in `shard_messages.ts`.
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";
import { gatherPart } from "../../pipeline/passes/gathering.ts";
import type { FloatModel } from "../../pipeline/quantize/float_model.ts";
import { rewriteModel } from "../../pipeline/quantize/quantize.ts";
import type { SampleOpener } from "../../pipeline/source/samples.ts";
import { sendError } from "../../pipeline/workers/sent_errors.ts";
import type { RunSource } from "./job.ts";
import type { FromShardThread, ToShardThread } from "./shard_messages.ts";

/** Opens what orders name. */
export interface OrderOpener {
  /** The model, without rewrites. */
  model(source: RunSource): Promise<FloatModel>;
  /** Its samples below a position. */
  samples(
    source: RunSource,
    float: FloatModel,
    limit: number,
    note: (text: string) => void,
  ): SampleOpener;
}

/** Samples that are told of one by one. */
const MAX_NOTES = 20;

/**
 * Gathers shards.
 *
 * @param post Sends a message to the worker.
 * @returns Takes a message from it.
 */
export function serveShards(
  opener: OrderOpener,
  post: (message: FromShardThread) => void,
): (message: ToShardThread) => void {
  // The next shard is of the same run, mostly.
  const models = new Map<string, Promise<FloatModel>>();
  const remember = (key: string, make: () => Promise<FloatModel>) => {
    const known = models.get(key);
    if (known !== undefined) return known;
    models.clear();
    const made = make();
    models.set(key, made);
    return made;
  };

  return (message) => {
    let isOpen = false;
    gather(message, () => isOpen = true).catch((error) =>
      post({ kind: "failed", error: sendError(error), isPlace: !isOpen })
    );
  };

  async function gather(
    { order: { source, pass }, ranges, flag }: ToShardThread,
    onOpen: () => void,
  ): Promise<void> {
    const { rewrites } = pass;
    const float = await remember(
      JSON.stringify([source.model, rewrites]),
      async () => await rewriteModel(checkModel(await opener.model(source), source), rewrites),
    );
    const notes: string[] = [];
    let left = 0;
    const note = (text: string) => void (notes.length < MAX_NOTES ? notes.push(text) : left++);
    const end = ranges.at(-1)![1];
    const isIn = (index: number) => ranges.some(([start, end]) => index >= start && index < end);
    const { samples, source: found } = await opener.samples(source, float, end, note)
      .open((index) => !isIn(index));
    if (found !== pass.source) {
      await samples.cancel().catch(() => {});
      throw otherData(source, pass.source, found);
    }
    onOpen();
    const stop = new Int32Array(flag);
    const isStopping = () => Atomics.load(stop, 0) !== 0;
    const { part, next, samples: count } = await gatherPart(pass, samples, {
      model: float.prepared,
      modelSha256: float.sha256,
      isEnough: isStopping,
      onProgress: ({ done }) => post({ kind: "progress", samples: done }),
      onSkip: (error) => note(leftOut(error)),
    });
    if (left > 0) notes.push(`… and ${left} more`);
    const isStopped = isStopping() && (next === undefined || next < end);
    post({ kind: "done", part, samples: count, next, isStopped, notes });
  }
}

/** What is said of a sample that makes NaN or infinity. */
export function leftOut({ parts: { found, action } }: PlimsollError): string {
  return `left out: ${found}, tensor ${action.replace("observing tensor ", "")}`;
}

/** Bytes other than those that the run began with would give other statistics. */
function checkModel(float: FloatModel, { model }: RunSource): FloatModel {
  if (float.sha256 === model.sha256) return float;
  throw new PlimsollError("input", {
    action: `opening ${JSON.stringify(model.place ?? "the demo's model")} for a shard`,
    wanted: `the model of SHA-256 ${model.sha256}`,
    found: `one of ${float.sha256}`,
    remedy: "Give all machines the same file",
  });
}

function otherData(
  { data }: RunSource,
  wanted: string | undefined,
  found: string | undefined,
): PlimsollError {
  return new PlimsollError("input", {
    action: `opening ${JSON.stringify(data.place ?? "the demo's data")} for a shard`,
    wanted: `the data set ${wanted}`,
    found: `another one, ${found}`,
    remedy: "Give all machines the same data, whole",
  });
}
