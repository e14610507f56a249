/**
 * `--queue`: passes over the samples are gathered by workers on other machines. It changes no result.
 *
 * @module
 */
import { isSeveral, type WorkerCount } from "../../pipeline/workers/worker_count.ts";
import type { Command } from "commander";
import { InvalidArgumentError } from "commander";
import { compactJson } from "../../core/canonical_json.ts";
import { PlimsollError } from "../../core/errors.ts";
import { sha256 } from "../../core/hash.ts";
import { VERSION } from "../../core/version.ts";
import { defaultRuntime } from "../../pipeline/inference/default_runtime.ts";
import { runtimeBuild } from "../../pipeline/inference/runtime.ts";
import type { Elsewhere } from "../../pipeline/quantize/elsewhere.ts";
import type { FloatModel } from "../../pipeline/quantize/float_model.ts";
import { isUrl } from "../../pipeline/source/byte_source.ts";
import { type Broker, openBroker } from "../queue/broker.ts";
import { type Build, RUN_NAME } from "../queue/job.ts";
import { openStore } from "../queue/store.ts";
import { submitRun, type SubmittedRun } from "../queue/submit.ts";
import type { Host } from "../../core/host.ts";
import type { Context } from "./context.ts";
import { modelTitle, type SampleOptions } from "./inputs.ts";
import { positiveInteger } from "./option_values.ts";
import { loadPreprocessing } from "./preprocess_options.ts";
import type { ProgressPrinter } from "./progress.ts";

/** Options that all who use a queue have. */
export interface BrokerOptions {
  queue?: string;
  queueName: string;
}

/** Options of {@linkcode addQueueOptions}. */
export interface QueueOptions extends BrokerOptions {
  results?: string;
  shards?: number;
  runName?: string;
  resume?: boolean;
}

/** Name of the queues when nobody says otherwise. */
const QUEUE_NAME = "plimsoll";

/** Adds `--queue` and `--queue-name`. */
export function addBrokerOptions(command: Command): Command {
  return command
    .option(
      "--queue <url>",
      "redis://…, rediss://… or postgres://…, where workers take shards (docs/distributed.md)",
    )
    .option(
      "--queue-name <name>",
      "name of the queues, of several on one server",
      queueName,
      QUEUE_NAME,
    );
}

/** Adds `--queue` and what belongs to it, but for `--resume`. */
export function addQueueOptions(command: Command): Command {
  return addBrokerOptions(command)
    .option(
      "--results <place>",
      "with --queue: a folder that all machines share, or s3://bucket/prefix, for what shards give",
    )
    .option(
      "--shards <n>",
      "with --queue: cut each pass into n shards (default: of about a minute each)",
      positiveInteger,
    )
    .option(
      "--run-name <name>",
      "with --queue: what the run is called there (default: after the model and all options)",
      runName,
    );
}

function queueName(text: string): string {
  if (RUN_NAME.test(text)) return text;
  throw new InvalidArgumentError("Give letters, digits, - and _, 64 at most.");
}

const runName = queueName;

/** The queue that options name. Throws {@linkcode PlimsollError} kind `usage` where there is none. */
export async function brokerFor(host: Host, { queue }: BrokerOptions): Promise<Broker> {
  if (queue === undefined) throw missing("a queue", "--queue", "redis://host:6379");
  return await openBroker(host, queue);
}

/** Where results go. Throws {@linkcode PlimsollError} kind `usage` where nobody says it. */
export function resultsPlace(results: string | undefined): string {
  if (results !== undefined) return results;
  throw missing("a place for what shards give", "--results", "a folder that all machines share");
}

function missing(wanted: string, name: string, example: string): PlimsollError {
  return new PlimsollError("usage", {
    action: "reading the options",
    wanted,
    found: `no ${name}`,
    remedy: `Name it with ${name}, such as ${example}`,
  });
}

/** The build of this process: workers of others give other bytes. */
export function ownBuild(): Build {
  return { plimsoll: VERSION, runtime: runtimeBuild(defaultRuntime()) };
}

/**
 * Refuses options that workers elsewhere can't honour, and those that make no sense without a queue.
 *
 * @throws {PlimsollError} kind `usage`.
 */
export function checkQueue(
  options: QueueOptions & {
    readonly workers?: WorkerCount;
    readonly shard?: unknown;
    readonly checkpoint?: string;
    readonly untilStable?: number;
    readonly data?: string;
    readonly labels?: string;
  },
): void {
  const { queue, results, shards, runName, workers = 1 } = options;
  const fail = (wanted: string, found: string, remedy: string) =>
    new PlimsollError("usage", { action: "reading the options", wanted, found, remedy });
  if (queue === undefined) {
    const alone = results !== undefined
      ? "--results"
      : shards !== undefined
      ? "--shards"
      : runName !== undefined
      ? "--run-name"
      : undefined;
    if (alone === undefined) return;
    throw fail(
      `--queue with ${alone}`,
      `${alone} alone`,
      `Leave ${alone} out, or name the --queue`,
    );
  }
  resultsPlace(results);
  const other = options.shard !== undefined
    ? "--shard"
    : options.checkpoint !== undefined
    ? "--checkpoint"
    : options.untilStable !== undefined
    ? "--until-stable"
    : isSeveral(workers)
    ? "--workers"
    : undefined;
  if (other !== undefined) {
    throw fail(
      `--queue, or ${other}`,
      "both",
      other === "--checkpoint"
        ? "Leave --checkpoint out: results of shards are kept, and --resume goes on with them"
        : `Leave ${other} out: workers elsewhere do the work`,
    );
  }
  if (options.data === "-") {
    throw fail(
      "samples that other machines can open",
      "standard input",
      "Name a folder that they share, an address, or s3://bucket/key",
    );
  }
}

/** What a run is about. */
interface RunInput {
  readonly float: FloatModel;
  /** `--model`. */
  readonly model?: string;
  /** `--data`, as it was given. */
  readonly data?: string;
  /** Where the samples are. */
  readonly path: string;
  readonly reading: SampleOptions;
  readonly requantize?: boolean;
  /** All that decides results besides. */
  readonly wishes: unknown;
  readonly progress: ProgressPrinter;
}

/** A run that may be gathered elsewhere: at most one, which ends with the command. */
export class QueuedRun {
  readonly #options: QueueOptions;
  readonly #context: Context;
  #broker: Broker | undefined;
  #run: SubmittedRun | undefined;

  constructor(options: QueueOptions, context: Context) {
    this.#options = options;
    this.#context = context;
  }

  /** Submits the run; undefined without `--queue`. */
  async submit(input: RunInput): Promise<Elsewhere | undefined> {
    if (this.#options.queue === undefined) return undefined;
    const { host, signal } = this.#context;
    const { progress, model, data, float, path, reading, wishes } = input;
    const { queueName: name, results, shards, resume = false } = this.#options;
    const store = openStore(host, await shared(host, resultsPlace(results)));
    const source = {
      model: {
        ...(model === undefined ? {} : { place: await shared(host, model) }),
        sha256: float.sha256,
        requantize: input.requantize ?? false,
      },
      data: {
        ...(data === undefined ? {} : { place: await shared(host, data) }),
        preprocessing: await loadPreprocessing(host, path, model, reading),
        dataFormat: reading.dataFormat,
        inputShape: reading.inputShape,
        onBroken: reading.onBroken,
        maxPixels: reading.maxPixels,
        ...(reading.tokenizer === undefined
          ? {}
          : { tokenizer: await shared(host, reading.tokenizer) }),
      },
    };
    const wanted = { wishes, samples: reading.samples };
    const hash = await sha256(compactJson(JSON.parse(JSON.stringify([source, wanted]))));
    const run = this.#options.runName ?? nameFor(model, hash);
    this.#broker = await brokerFor(host, this.#options);
    this.#run = await submitRun({
      broker: this.#broker,
      name,
      run,
      source,
      store,
      shards,
      signal,
      build: ownBuild(),
      wishes: wanted,
      machine: host.machine?.() ?? "a machine",
      isResumed: resume,
      note: (text) => progress.note(text),
    });
    this.#context.run = run;
    progress.note(`run ${run} at ${this.#broker.place}`);
    return this.#run;
  }

  /** Takes what is left out of the queue. */
  async end(isDone: boolean): Promise<void> {
    try {
      await this.#run?.end(isDone);
    } finally {
      await this.#broker?.close();
    }
  }
}

/**
 * Does a command's work, which may submit a run, and takes what is left of that out of the queue however the work ends.
 */
export async function withQueue(
  options: QueueOptions,
  context: Context,
  work: (queued: QueuedRun) => Promise<void>,
): Promise<void> {
  const queued = new QueuedRun(options, context);
  try {
    await work(queued);
  } catch (error) {
    // What failed first is told, whatever the queue says now.
    await queued.end(false).catch(() => {});
    throw error;
  }
  await queued.end(true);
}

/** A name after the model and the hash of all that matters: the same command resumes itself. */
function nameFor(model: string | undefined, hash: string): string {
  const title = model === undefined ? "demo" : modelTitle(model).replace(/\.onnx$/i, "");
  const plain = title.replace(/[^A-Za-z0-9_]+/g, "-").replace(/^-|-$/g, "").slice(0, 40);
  return `${plain || "model"}-${hash.slice(0, 12)}`;
}

/** A place as other machines can open it: addresses as they are, paths from the root on. */
async function shared(host: Host, place: string): Promise<string> {
  if (isUrl(place) || /^([/\\]|[A-Za-z]:)/.test(place) || host.realPath === undefined) return place;
  const parts = place.split("/");
  // What isn't there yet lies in a folder that is.
  for (let kept = parts.length; kept >= 0; kept--) {
    const known = parts.slice(0, kept).join("/") || ".";
    const real = await host.realPath(known).catch(() => undefined);
    if (real !== undefined) return [real, ...parts.slice(kept)].join("/");
  }
  return place;
}
