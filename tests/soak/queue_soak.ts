/**
 * Calibrations over queues in which workers are killed and told to leave at random moments, the server is restarted and
 * answers nothing for half a minute: every run must end with the bytes of one machine.
 *
 *     deno run -A tests/soak/queue_soak.ts            20 runs, by turns on Redis or Valkey and PostgreSQL
 *     deno run -A tests/soak/queue_soak.ts --runs 5 --seed 7
 */
// deno-lint-ignore-file no-console
import { parseArgs } from "node:util";
import { runCommand } from "../support/cli.ts";
import { sameFile, withServer } from "../support/queue_runs.ts";
import {
  Command,
  postgresFolder,
  redisServer,
  startPostgres,
  startRedis,
  startWorker,
} from "../support/queue_servers.ts";
import { uniform } from "../support/random.ts";

const { values } = parseArgs({
  options: { runs: { type: "string" }, seed: { type: "string" } },
  strict: true,
});
const runs = Number(values.runs ?? 20);
const random = uniform(Number(values.seed ?? Date.now() % 1e9));
/** So many that all of it happens while a run is at work. */
const SAMPLES = 3000;
/** Milliseconds of a pause of the server, and that a run may take with all that happens to it. */
const PAUSE_MS = 30_000;
const MOST_MS = 240_000;

const servers = [
  ...(redisServer === undefined ? [] : [["Redis", startRedis] as const]),
  ...(postgresFolder === undefined ? [] : [["PostgreSQL", startPostgres] as const]),
];
if (servers.length === 0) throw new Error("Neither Redis nor Valkey nor PostgreSQL is installed");

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
let failed = 0;
const shared = await Deno.makeTempDir();
const values28 = new Float32Array(SAMPLES * 784).map(() => random());
await Deno.writeFile(`${shared}/x.f32`, new Uint8Array(values28.buffer));
const calibrate = [
  ...["calibrate", "--model", "data/fashion/model.onnx", "--data", `${shared}/x.f32`],
  ...["--data-format", "raw", "--input-shape", "1x28x28"],
];
const one = `${shared}/one`;
const reference = await runCommand(...calibrate, "--out", one);
if (reference.code !== 0) throw new Error(reference.error);

for (let i = 0; i < runs; i++) {
  const [name, start] = servers[i % servers.length];
  const shards = String(4 + Math.floor(random() * 14));
  const happened: string[] = [];
  await withServer(start, async (server, folder) => {
    const place = ["--queue", server.url, "--results", `${folder}/results`];
    const workers = [await startWorker(place), await startWorker(place), await startWorker(place)];
    const all = [...workers];
    const run = new Command([...calibrate, ...place, "--shards", shards, "--out", `${folder}/two`]);
    let isOver = false;
    const begin = performance.now();
    const ending = run.end(MOST_MS).finally(() => isOver = true);
    ending.catch(() => {});
    const replace = async (signal: Deno.Signal) => {
      const at = Math.floor(random() * workers.length);
      workers[at].kill(signal);
      happened.push(signal);
      if (signal === "SIGTERM") {
        const since = performance.now();
        const code = await workers[at].end(10_000);
        if (code !== 0) throw new Error(`SIGTERM: ${code} ${workers[at].text}`);
        happened.push(`left in ${Math.round(performance.now() - since)} ms`);
      }
      workers[at] = await startWorker(place);
      all.push(workers[at]);
    };
    const trouble = [
      () => replace("SIGKILL"),
      () => replace("SIGKILL"),
      () => replace("SIGTERM"),
      async () => {
        happened.push("restart");
        await server.restart();
      },
      async () => {
        happened.push("pause");
        server.pause();
        await sleep(PAUSE_MS);
        server.resume();
      },
    ].sort(() => random() - 0.5);
    try {
      await run.says(/samples in \d+ shards/);
      for (const each of trouble) {
        await sleep(random() * 2500);
        if (isOver) {
          happened.push("over");
          break;
        }
        await each();
      }
      const code = await ending;
      if (code !== 0) throw new Error(`exit code ${code}\n${run.text}`);
      await sameFile(one, `${folder}/two`);
      console.log(
        `${i + 1}/${runs} ${name}, ${shards} shards: same bytes in ${
          ((performance.now() - begin) / 1000).toFixed(1)
        } s; ${happened.join(", ")}`,
      );
    } catch (error) {
      failed++;
      console.log(
        `${i + 1}/${runs} ${name}, ${shards} shards: FAILED after ${happened.join(", ")}`,
      );
      console.log((error as Error).message, run.text);
      for (const worker of workers) console.log(worker.text);
    } finally {
      for (const each of [run, ...all]) each.kill("SIGKILL");
      server.resume();
    }
  });
}
await Deno.remove(shared, { recursive: true });
console.log(`${runs - failed} runs with the bytes of one machine, ${failed} without`);
Deno.exit(failed === 0 ? 0 : 1);
