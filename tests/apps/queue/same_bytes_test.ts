/** Whatever the server, the workers and the shards: the bytes of one machine. */
import assert from "node:assert/strict";
import { runCommand } from "../../support/cli.ts";
import {
  bucketServer,
  type Command,
  postgresFolder,
  redisServer,
  type Server,
  startBuckets,
  startPostgres,
  startRedis,
  startWorker,
  stopWorkers,
} from "../../support/queue_servers.ts";
import { finish, sameFile, withServer } from "../../support/queue_runs.ts";
import { sharedPath } from "../../support/shared.ts";

const SERVERS: [string, boolean, (folder: string) => Promise<Server>][] = [
  ["Redis or Valkey", redisServer !== undefined, startRedis],
  ["PostgreSQL", postgresFolder !== undefined, startPostgres],
];

async function same(places: readonly string[], names: readonly string[]): Promise<void> {
  for (const name of names) await sameFile(`${places[0]}${name}`, `${places[1]}${name}`);
}

for (const [name, isThere, start] of SERVERS) {
  Deno.test({
    name: `${name}: 1, 2 and 4 workers, 3 and 17 shards give the statistics of one machine`,
    ignore: !isThere,
    fn: () =>
      withServer(start, async ({ url }, folder) => {
        const one = ["calibrate", "--samples", "68", "--error", "auto"];
        assert.equal((await runCommand(...one, "--out", `${folder}/one`)).code, 0);
        const place = ["--queue", url, "--results", `${folder}/results`];
        const workers: Command[] = [];
        try {
          for (const count of [1, 2, 4]) {
            while (workers.length < count) workers.push(await startWorker(place));
            for (const shards of ["3", "17"]) {
              const out = `${folder}/${count}-${shards}`;
              const run = await runCommand(...one, ...place, "--shards", shards, "--out", out);
              assert.equal(run.code, 0, run.error);
              await same([`${folder}/one`, out], [""]);
            }
          }
          // Nothing is left, neither in the queue nor with the results.
          assert.match(await finish(["queue", "status", "--queue", url]), /^No run/);
          assert.deepEqual([...Deno.readDirSync(`${folder}/results`)], []);
          // SIGTERM, with nothing at hand: they leave at once.
          for (const worker of workers) worker.kill("SIGTERM");
          for (const worker of workers) assert.equal(await worker.end(10_000), 0, worker.text);
        } finally {
          for (const worker of workers) worker.kill("SIGKILL");
        }
      }),
  });
}

Deno.test({
  name: "quantize with every further pass gives manifest, codes and model of one machine",
  ignore: redisServer === undefined,
  fn: () =>
    withServer(startRedis, async ({ url }, folder) => {
      const wishes = [
        ...["quantize", "--samples", "96", "--constraint", "symmetric", "--verify"],
        ...["--weight-rounding", "gptq", "--equalize", "yes", "--shift-negative", "yes"],
        ...["--scale-migration", "yes", "--error", "mse", "--exact", "--accept"],
      ];
      const small = ["--eval-data", `${folder}/eval.ndjson`];
      const line = JSON.stringify({ input: [Array.from({ length: 28 }, () => Array(28).fill(0))] });
      await Deno.writeTextFile(`${folder}/eval.ndjson`, `${line}\n`.repeat(2));
      const one = await runCommand(...wishes, ...small, "--out", `${folder}/one`);
      assert.equal(one.code, 0, one.error);
      const place = ["--queue", url, "--results", `${folder}/results`];
      const workers = [await startWorker(place), await startWorker(place)];
      try {
        const text = await finish([
          ...[...wishes, ...small, ...place, "--shards", "3", "--out", `${folder}/two`],
        ]);
        for (const stage of ["ranges", "calibrate", "exact", "verify"]) {
          assert.match(text, new RegExp(`^${stage}: \\d+ samples in 3 shards`, "m"));
        }
        const verified = /verified: .*/.exec(one.error)?.[0];
        assert.ok(verified !== undefined && text.includes(verified), `${verified}\n${text}`);
        await same([`${folder}/one/`, `${folder}/two/`], [
          ...["model.onnx", "manifest.json", "statistics.plim", "codes.bin", "verdict.json"],
        ]);
        const command = [
          ...["compare", "--samples", "64", "--error", "auto", "--eval-samples", "16"],
          ...["--auto-by", "output", "--auto-runs", "50", "--bias-correction", "yes,no"],
        ];
        const alone = await runCommand(...command, "--accept", "--out", `${folder}/c1`);
        assert.equal(alone.code, 0, alone.error);
        const shared = await finish([...command, "--accept", ...place, "--out", `${folder}/c2`]);
        assert.match(shared, /^output: \d+ samples in/m);
        await same([`${folder}/c1/`, `${folder}/c2/`], ["comparison.json"]);
        await stopWorkers(workers);
      } finally {
        for (const worker of workers) worker.kill("SIGKILL");
      }
    }),
});

Deno.test({
  name: "model, data and results may lie in a bucket, and the password in the environment",
  ignore: redisServer === undefined || bucketServer === undefined,
  fn: () =>
    withServer(
      (folder) => startRedis(folder, { password: "s3cr:t/" }),
      async ({ url }, folder) => {
        await Deno.mkdir(`${folder}/bucket/shards/data`, { recursive: true });
        const buckets = await startBuckets(`${folder}/bucket`);
        const env = { ...buckets.env, PLIMSOLL_QUEUE_PASSWORD: "s3cr:t/" };
        const place = [
          "--queue",
          `redis://${url.split("@").at(-1)}`,
          "--results",
          "s3://shards/results",
        ];
        let workers: Command[] = [];
        try {
          const files = ["model.onnx", "calibration-images-idx3-ubyte.gz"];
          for (const name of files) {
            await Deno.copyFile(`data/fashion/${name}`, `${folder}/${name}`);
            await put(
              `${buckets.env.AWS_ENDPOINT_URL}/shards/data/${name}`,
              `${folder}/${name}`,
              env,
            );
          }
          const [model, data] = files;
          const limit = ["--samples", "40"];
          const own = ["--model", `${folder}/${model}`, "--data", `${folder}/${data}`];
          const one = await runCommand("calibrate", ...own, ...limit, "--out", `${folder}/one`);
          assert.equal(one.code, 0, one.error);
          workers = [await startWorker(place, env)];
          const text = await finish([
            ...["calibrate", "--model", `s3://shards/data/${model}`],
            ...["--data", `s3://shards/data/${data}`, ...limit, ...place],
            ...["--shards", "2", "--out", `${folder}/two`],
          ], env);
          assert.doesNotMatch(text, /s3cr/);
          await same([`${folder}/one`, `${folder}/two`], [""]);
          await stopWorkers(workers);
        } finally {
          for (const worker of workers) worker.kill("SIGKILL");
          await buckets.stop();
        }
      },
    ),
});

async function put(url: string, file: string, env: Record<string, string>): Promise<void> {
  const { AwsClient } = await import("aws4fetch");
  const client = new AwsClient({
    accessKeyId: env.AWS_ACCESS_KEY_ID,
    secretAccessKey: env.AWS_SECRET_ACCESS_KEY,
    service: "s3",
    region: "us-east-1",
  });
  const response = await client.fetch(url, { method: "PUT", body: await Deno.readFile(file) });
  assert.ok(response.ok, await response.text());
}

const lite0 = sharedPath("data/efficientnet-lite0/model.onnx");
const photographs = sharedPath("data/imagenet-sample");
Deno.test({
  name: "EfficientNet-Lite0 has the statistics of one machine (needs ../shared)",
  ignore: redisServer === undefined || lite0 === undefined || photographs === undefined,
  fn: () =>
    withServer(startRedis, async ({ url }, folder) => {
      const one = [
        ...["calibrate", "--model", lite0!, "--data", photographs!, "--samples", "9"],
        ...["--resize", "256", "--crop", "224", "--scale", "1", "--mean", "127", "--std", "128"],
      ];
      assert.equal((await runCommand(...one, "--out", `${folder}/one`)).code, 0);
      const place = ["--queue", url, "--results", `${folder}/results`];
      const workers = [await startWorker(place), await startWorker(place)];
      try {
        await finish([...one, ...place, "--shards", "3", "--out", `${folder}/two`]);
        await same([`${folder}/one`, `${folder}/two`], [""]);
        await stopWorkers(workers);
      } finally {
        for (const worker of workers) worker.kill("SIGKILL");
      }
    }),
});
