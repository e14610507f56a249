/**
 * How the work of a calibration is cut: workers, shards, checkpoints. None of it changes a result.
 *
 * @module
 */
import { isSeveral, type WorkerCount } from "../../pipeline/workers/worker_count.ts";
import { type Command, InvalidArgumentError, Option } from "commander";
import { PlimsollError } from "../../core/errors.ts";
import type { Host } from "../../core/host.ts";
import { readPlim, writePlim } from "../../pipeline/statistics/plim.ts";
import type { RunOptions } from "../../pipeline/quantize/quantize.ts";
import { positiveInteger } from "./option_values.ts";
import type { ProgressPrinter } from "./progress.ts";
import { addQueueOptions, checkQueue, type QueueOptions } from "./queue_options.ts";

/** Options of {@linkcode addWorkOptions}. */
export interface WorkOptions extends QueueOptions {
  workers: WorkerCount;
  shard?: Shard;
  checkpoint?: string;
  every: number;
  resume?: boolean;
  onNonfinite: "fail" | "skip";
}

/** Part `index` of `count`, from 1. */
export interface Shard {
  readonly index: number;
  readonly count: number;
}

/** Adds `--workers`, `--shard`, `--checkpoint` and what belongs to them. */
export function addWorkOptions(command: Command): Command {
  return addWorkersOption(addQueueOptions(command))
    .option(
      "--shard <i/n>",
      "take only every n-th sample, from the i-th on; `merge` joins shards",
      shard,
    )
    .option("--checkpoint <file>", "keep statistics so far in a file, in case the run is killed")
    .option("--every <n>", "samples between two checkpoints", positiveInteger, 256)
    .option(
      "--resume",
      "go on from the checkpoint, if there is one; with --queue from what shards have given",
    )
    .addOption(
      new Option("--on-nonfinite <policy>", "what becomes of a sample that makes NaN or infinity")
        .choices(["fail", "skip"]).default("fail"),
    );
}

/**
 * Refuses what the options ask for beside the recipe: looking at statistics after every batch needs one worker, and
 * samples that are looked at once more must be there, and all count.
 *
 * @throws {PlimsollError} kind `usage`.
 */
export function checkWork(
  options:
    & WorkOptions
    & {
      data?: string;
      untilStable?: number;
      verify?: boolean;
      diagnose?: boolean;
      evalData?: string;
    },
): void {
  checkQueue(options);
  const { workers, untilStable, onNonfinite, verify, diagnose, evalData, data } = options;
  const fail = (wanted: string, found: string) =>
    new PlimsollError("usage", {
      action: "reading the options",
      wanted,
      found,
      remedy: "Leave one of the two out",
    });
  if (isSeveral(workers) && untilStable !== undefined) {
    throw fail("--until-stable with one worker", `--workers ${workers}`);
  }
  if (onNonfinite === "skip" && verify) {
    throw fail("a second pass over samples that all count", "--on-nonfinite skip");
  }
  // Without evaluation samples those of the calibration are looked at again.
  if (data === "-" && (verify || diagnose && evalData === undefined)) {
    throw fail("samples that can be read more than once", "standard input");
  }
}

function shard(text: string): Shard {
  const [index, count] = text.split("/").map(Number);
  const isSound = /^\d+\/\d+$/.test(text) && index >= 1 && index <= count;
  if (!isSound) throw new InvalidArgumentError("Give i/n with i from 1 to n.");
  return { index, count };
}

/** Adds `--workers`. */
export function addWorkersOption(command: Command): Command {
  return command.option(
    "--workers <n>",
    "calibrate with n workers side by side; auto: as many as there are cores, memory and work for; never changes a result",
    (text): WorkerCount => text === "auto" ? text : positiveInteger(text),
    "auto",
  );
}

/** Threads that calibrate at most when nobody says how many. */
const MOST_THREADS = 8;
/** Part of the free memory that they may take. */
const TAKEN_MEMORY = 0.5;

/** Workers beside this thread: for each a processor, and as much memory as this process has taken by now. */
function roomForWorkers({ capacity, residentBytes }: Host): number {
  const { cores, freeBytes } = capacity?.() ?? { cores: 1 };
  const own = residentBytes?.();
  const fitting = freeBytes === undefined || own === undefined
    ? 1
    : Math.floor(TAKEN_MEMORY * freeBytes / own);
  return Math.min(cores - 1, MOST_THREADS - 1, fitting);
}

/** What the work options say, ready for a quantization. */
export type Work = Pick<
  RunOptions,
  | "workers"
  | "startWorker"
  | "room"
  | "checkpoint"
  | "resume"
  | "leaveOut"
  | "onNonFinite"
  | "onSkip"
>;

/**
 * Reads the checkpoint, if any, and prepares the work.
 *
 * @param model SHA-256 of the model: a checkpoint of another one is refused.
 * @throws {PlimsollError} kinds `usage` and `input`.
 */
export async function prepareWork(
  host: Host,
  options: WorkOptions & { readonly untilStable?: number },
  { model, progress }: { model: string; progress: ProgressPrinter },
): Promise<Work> {
  const { checkpoint: file, every, workers } = options;
  const fail = (wanted: string, found: string, remedy: string) =>
    new PlimsollError("usage", { action: "reading the options", wanted, found, remedy });
  if (options.resume && file === undefined && options.queue === undefined) {
    throw fail("a checkpoint to resume from", "no --checkpoint", "Name the file with --checkpoint");
  }
  if (isSeveral(workers) && host.startWorker === undefined) {
    throw fail("a host with workers", "one without", "Leave --workers out");
  }
  if (file !== undefined) await host.checkWritable(file);
  const exists = file !== undefined && await host.fileExists(file);
  if (exists && !options.resume) {
    throw fail(
      "a new file for the checkpoint",
      `${JSON.stringify(file)}, which is there already`,
      "Go on from it with --resume, or remove it",
    );
  }
  const resume = exists && options.resume
    ? await readPlim(await host.readFile(file), file)
    : undefined;
  if (resume !== undefined && resume.model.sha256 !== model) {
    throw new PlimsollError("data", {
      action: `resuming from ${JSON.stringify(file)}`,
      wanted: `a checkpoint of the model with SHA-256 ${model}`,
      found: `one of ${resume.model.sha256}`,
      remedy: "Name the same model, or another checkpoint",
    });
  }
  const { shard } = options;
  return {
    workers: options.untilStable === undefined ? workers : 1,
    room: () => roomForWorkers(host),
    resume,
    onNonFinite: options.onNonfinite,
    ...(shard === undefined
      ? {}
      : { leaveOut: (index) => index % shard.count !== shard.index - 1 }),
    onSkip: (reason) =>
      progress.note(
        `left out: ${reason.parts.found}, tensor ${
          reason.parts.action.replace("observing tensor ", "")
        }`,
      ),
    ...(host.startWorker === undefined ? {} : { startWorker: () => host.startWorker!() }),
    ...(file === undefined ? {} : {
      checkpoint: {
        every,
        write: async (statistics) =>
          await host.writeFiles(new Map([[file, await writePlim(statistics)]])),
      },
    }),
  };
}
