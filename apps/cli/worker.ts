/**
 * `worker`: takes shards from a queue until it is told to stop.
 *
 * @module
 */
import type { Command } from "commander";
import { PlimsollError } from "../../core/errors.ts";
import { openStore } from "../queue/store.ts";
import { work } from "../queue/work.ts";
import type { Context } from "./context.ts";
import { addOutputOptions, type OutputOptions } from "./options.ts";
import { positiveInteger } from "./option_values.ts";
import { ProgressPrinter } from "./progress.ts";
import {
  addBrokerOptions,
  brokerFor,
  type BrokerOptions,
  ownBuild,
  resultsPlace,
} from "./queue_options.ts";

interface WorkerCommandOptions extends BrokerOptions, OutputOptions {
  results?: string;
  workers: number;
  silence: number;
  share?: string[];
}

/** Adds the command to the program. */
export function addWorkerCommand(program: Command, context: Context): void {
  const command = program.command("worker")
    .description("take shards of calibrations from a queue, until told to stop");
  addOutputOptions(
    addBrokerOptions(command)
      .option(
        "--results <place>",
        "what shards give goes there: the folder that all machines share, or s3://bucket/prefix, as for the run",
      )
      .option("--workers <n>", "shards at once, each in a thread of its own", positiveInteger, 1)
      .option(
        "--silence <seconds>",
        "a shard whose worker has said nothing for so long is given to another one",
        positiveInteger,
        60,
      )
      .option(
        "--share <folder...>",
        "read models and data from these folders and addresses only (default: from wherever runs say)",
      ),
  ).addHelpText(
    "after",
    `
Examples:
  deno task worker --queue redis://host:6379 --results /mnt/shared/results
  deno task worker --queue postgres://plimsoll@host/queue --results s3://bucket/results --workers 4

Passwords and keys come from the environment: PLIMSOLL_QUEUE_PASSWORD, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
AWS_ENDPOINT_URL. SIGTERM or Ctrl-C finishes the batch at hand and hands shards back: docs/distributed.md.
`,
  ).action((options: WorkerCommandOptions) => run(options, context));
}

async function run(options: WorkerCommandOptions, context: Context): Promise<void> {
  const { host, screen, signal } = context;
  if (host.startShardWorker === undefined) {
    throw new PlimsollError("usage", {
      action: "starting a worker",
      wanted: "a host with threads",
      found: "one without",
      remedy: "Use the command line under Deno or Node",
    });
  }
  const progress = new ProgressPrinter(screen, options);
  const store = openStore(host, resultsPlace(options.results));
  const broker = await brokerFor(host, options);
  try {
    await store.check();
    await work({
      broker,
      store,
      signal,
      name: options.queueName,
      build: ownBuild(),
      machine: host.machine?.() ?? "a machine",
      threads: options.workers,
      startThread: () => host.startShardWorker!(),
      silenceMs: options.silence * 1000,
      note: (text) => progress.note(text),
    });
  } finally {
    await broker.close();
  }
}
