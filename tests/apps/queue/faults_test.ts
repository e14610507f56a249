/** Workers that die or are told to leave, servers that go away: same bytes, nothing twice, nothing lost, nothing hangs. */
import assert from "node:assert/strict";
import { runCommand } from "../../support/cli.ts";
import {
  Command,
  postgresFolder,
  redisServer,
  startPostgres,
  startRedis,
  startWorker,
  stopWorkers,
} from "../../support/queue_servers.ts";
import { sameFile, withServer } from "../../support/queue_runs.ts";

const SERVERS = [
  ["Redis or Valkey", redisServer !== undefined, startRedis],
  ["PostgreSQL", postgresFolder !== undefined, startPostgres],
] as const;
const CALIBRATE = ["calibrate", "--samples", "640"];

for (const [name, isThere, start] of SERVERS) {
  Deno.test({
    name: `${name}: a worker is killed, another told to leave, the server restarted`,
    ignore: !isThere,
    fn: () =>
      withServer(start, async (server, folder) => {
        assert.equal((await runCommand(...CALIBRATE, "--out", `${folder}/one`)).code, 0);
        const place = ["--queue", server.url, "--results", `${folder}/results`];
        const [killed, leaving, staying] = await Promise.all(
          [1, 2, 3].map(() => startWorker(place)),
        );
        const run = new Command([
          ...CALIBRATE,
          ...place,
          "--shards",
          "6",
          "--out",
          `${folder}/two`,
        ]);
        try {
          await Promise.all([killed.says(/begins/), leaving.says(/begins/)]);
          killed.kill("SIGKILL");
          const since = performance.now();
          leaving.kill("SIGTERM");
          assert.equal(await leaving.end(10_000), 0, leaving.text);
          assert.ok(performance.now() - since < 10_000);
          assert.match(leaving.text, /stops: finishes the batch at hand/);
          await server.restart();
          const late = await startWorker(place);
          assert.equal(await run.end(), 0, run.text);
          await sameFile(`${folder}/one`, `${folder}/two`);
          await stopWorkers([staying, late]);
        } finally {
          for (const each of [run, killed, leaving, staying]) each.kill("SIGKILL");
        }
      }),
  });
}

Deno.test({
  name: "a shard that was handed back goes on from its checkpoint",
  ignore: redisServer === undefined,
  fn: () =>
    withServer(startRedis, async ({ url }, folder) => {
      const calibrate = ["calibrate", "--samples", "1000"];
      assert.equal((await runCommand(...calibrate, "--out", `${folder}/one`)).code, 0);
      const place = ["--queue", url, "--results", `${folder}/results`];
      const first = await startWorker(place);
      const run = new Command([...calibrate, ...place, "--shards", "1", "--out", `${folder}/two`]);
      let second: Command | undefined;
      try {
        await first.says(/begins/);
        await new Promise((resolve) => setTimeout(resolve, 2500));
        first.kill("SIGTERM");
        assert.equal(await first.end(10_000), 0);
        const [, samples] = /handed back behind (\d+) samples/.exec(first.text) ?? [];
        assert.ok(Number(samples) > 0 && Number(samples) < 1000, first.text);
        second = await startWorker(place);
        assert.equal(await run.end(), 0, run.text);
        assert.match(second.text, new RegExp(`goes on behind ${samples} samples`));
        await sameFile(`${folder}/one`, `${folder}/two`);
        await stopWorkers([second]);
      } finally {
        for (const each of [run, first, second]) each?.kill("SIGKILL");
      }
    }),
});

Deno.test({
  name: "a run that was killed is gone on with: what its shards have given is used",
  ignore: redisServer === undefined,
  fn: () =>
    withServer(startRedis, async ({ url }, folder) => {
      const calibrate = ["calibrate", "--samples", "320"];
      assert.equal((await runCommand(...calibrate, "--out", `${folder}/one`)).code, 0);
      const place = ["--queue", url, "--results", `${folder}/results`];
      const all = [...calibrate, ...place, "--shards", "8", "--out", `${folder}/two`];
      const worker = await startWorker(place);
      const killed = new Command(all);
      try {
        await worker.says(/shard 3 of 8 .*: done/);
        killed.kill("SIGKILL");
        await killed.status;
        const again = new Command(all);
        assert.equal(await again.end(), 2, again.text);
        assert.match(again.text, /wanted a name that no run there has/);
        assert.match(again.text, /Go on with it with --resume/);
        worker.text = "";
        const resumed = new Command([...all, "--resume"]);
        assert.equal(await resumed.end(), 0, resumed.text);
        assert.doesNotMatch(worker.text, /shard [123] of 8 .*: begins/);
        await sameFile(`${folder}/one`, `${folder}/two`);
        await stopWorkers([worker]);
      } finally {
        for (const each of [killed, worker]) each.kill("SIGKILL");
      }
    }),
});
