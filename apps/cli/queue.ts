/**
 * `queue`: what is in a queue, and what becomes of it.
 *
 * @module
 */
import type { Command } from "commander";
import { canonicalJson } from "../../core/canonical_json.ts";
import { cancelRun, cleanRuns, queueStatus, type RunStatus } from "../queue/status.ts";
import { openStore } from "../queue/store.ts";
import type { Context } from "./context.ts";
import { addBrokerOptions, brokerFor, type BrokerOptions, ownBuild } from "./queue_options.ts";

interface StatusOptions extends BrokerOptions {
  json?: boolean;
}

interface RemoveOptions extends BrokerOptions {
  results?: string;
}

/** Adds the command and those below it to the program. */
export function addQueueCommand(program: Command, context: Context): void {
  const queue = program.command("queue")
    .description("look at a queue of calibrations, end runs, and tidy up");
  addBrokerOptions(queue.command("status").description("runs, their shards, and who works"))
    .option("--json", "print it as JSON")
    .action((options: StatusOptions) => status(options, context));
  addBrokerOptions(
    queue.command("cancel").description("take a run out of the queue").argument("<run>"),
  )
    .option("--results <place>", "remove what its shards have given, too")
    .action((run: string, options: RemoveOptions) => cancel(run, options, context));
  addBrokerOptions(
    queue.command("clean").description("take runs out of the queue that nobody follows any more"),
  )
    .option(
      "--results <place>",
      "remove what shards have given of all runs that aren't in the queue",
    )
    .action((options: RemoveOptions) => clean(options, context));
}

async function status(options: StatusOptions, { host }: Context): Promise<void> {
  const broker = await brokerFor(host, options);
  try {
    const found = await queueStatus(broker, options.queueName);
    host.print(options.json ? canonicalJson(found) : describe(found, broker.place));
  } finally {
    await broker.close();
  }
}

function describe(runs: readonly RunStatus[], place: string): string {
  if (runs.length === 0) return `No run at ${place}\n`;
  return runs.map((
    { run, build, shards, workers, isFollowed, machine, since, results },
  ) =>
    `${run}: ${build}\n` +
    `  shards: ${shards.waiting} waiting, ${shards.active} at work, ${shards.completed} done, ${shards.failed} failed; ` +
    `workers that fit: ${workers}\n` +
    `  submitted by ${machine} at ${since}, ${
      isFollowed ? "which follows it" : "which doesn't follow it any more"
    }; results at ${results}\n`
  ).join("");
}

async function cancel(
  run: string,
  { results, ...options }: RemoveOptions,
  { host }: Context,
): Promise<void> {
  const broker = await brokerFor(host, options);
  try {
    const store = results === undefined ? undefined : openStore(host, results);
    const removed = await cancelRun(broker, options.queueName, run, store);
    host.print(`Took ${run} out of the queue: ${removed} jobs\n`);
  } finally {
    await broker.close();
  }
}

async function clean({ results, ...options }: RemoveOptions, { host }: Context): Promise<void> {
  const broker = await brokerFor(host, options);
  try {
    const store = results === undefined ? undefined : openStore(host, results);
    const { runs, files } = await cleanRuns(broker, options.queueName, ownBuild(), store);
    host.print(
      `Took ${runs.length} run${runs.length === 1 ? "" : "s"} out of the queue${
        runs.length === 0 ? "" : `: ${runs.join(", ")}`
      }${store === undefined ? "" : `; removed ${files} files of results`}\n`,
    );
  } finally {
    await broker.close();
  }
}
