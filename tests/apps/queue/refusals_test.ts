/** What can't be is said in one message, which one machine would give where it is about samples; nothing is lost by it. */
import assert from "node:assert/strict";
import { openBroker } from "../../../apps/queue/broker.ts";
import { announcementSchema, runsQueue, workQueue } from "../../../apps/queue/job.ts";
import { PACKAGES } from "../../../apps/queue/load_package.ts";
import { ownBuild } from "../../../apps/cli/queue_options.ts";
import { runCommand } from "../../support/cli.ts";
import { finish, sameFile, withServer } from "../../support/queue_runs.ts";
import {
  Command,
  freePort,
  postgresFolder,
  redisServer,
  startPostgres,
  startRedis,
  startWorker,
  stopWorkers,
} from "../../support/queue_servers.ts";

const withRedis = { ignore: redisServer === undefined };
const lastLine = (text: string) => text.trim().split("\n").at(-1)!;

Deno.test("packages that are loaded when they are wanted are those of import_map.json", () => {
  const { imports } = JSON.parse(Deno.readTextFileSync("import_map.json"));
  for (const [name, { version }] of Object.entries(PACKAGES)) {
    assert.equal(imports[name], `npm:${name}@${version}`);
  }
});

Deno.test("options that contradict a queue are refused before anything else", async () => {
  const queue = ["--queue", "redis://127.0.0.1:1", "--results", "r"];
  const cases: [string[], RegExp][] = [
    [["calibrate", "--queue", "redis://h"], /no --results/],
    [["calibrate", "--results", "r"], /--queue with --results/],
    [["calibrate", "--shards", "3"], /--queue with --shards/],
    [["calibrate", ...queue, "--shard", "1/2"], /--queue, or --shard/],
    [["calibrate", ...queue, "--checkpoint", "c"], /--resume goes on with them/],
    [["quantize", ...queue, "--until-stable", "3"], /--queue, or --until-stable/],
    [["quantize", ...queue, "--workers", "2"], /--queue, or --workers/],
    [["calibrate", ...queue, "--data", "-"], /samples that other machines can open/],
    [["worker", "--queue", "redis://h"], /no --results/],
    [["queue", "status"], /no --queue/],
  ];
  for (const [args, pattern] of cases) {
    const { code, error } = await runCommand(...args);
    assert.equal(code, 2, error);
    assert.match(error, pattern);
  }
});

Deno.test({
  name: "no server, no such address, a wrong password, a server that forgets: one message each",
  ...withRedis,
  fn: () =>
    withServer(
      (folder) =>
        startRedis(folder, {
          password: "right",
          settings: ["--maxmemory", "50mb", "--maxmemory-policy", "allkeys-lru"],
        }),
      async ({ url }) => {
        const cases: [string, RegExp][] = [
          [`redis://127.0.0.1:${freePort()}`, /wanted a server that answers.*ECONNREFUSED/],
          [
            `postgres://u:p@127.0.0.1:${freePort()}/d`,
            /wanted a server that answers.*ECONNREFUSED/,
          ],
          ["redis://nowhere.invalid", /wanted a server that answers/],
          ["http://host", /wanted redis:\/\/host:6379/],
          [url.replace("right", "wrong"), /wanted a user and a password that it takes/],
          [url.replace(":right@", ""), /wanted a user and a password that it takes/],
          [url, /maxmemory-policy noeviction, found maxmemory-policy allkeys-lru/],
        ];
        for (const [address, pattern] of cases) {
          const command = new Command(["queue", "status", "--queue", address]);
          assert.notEqual(await command.end(30_000), 0);
          assert.match(command.text, pattern);
          assert.equal(command.text.trim().split("\n").length, 1, command.text);
          assert.doesNotMatch(command.text, /right|wrong/);
        }
      },
    ),
});

Deno.test({
  name: "a wrong password of PostgreSQL is one message",
  ignore: postgresFolder === undefined,
  fn: () =>
    withServer(startPostgres, async ({ url }) => {
      const command = new Command(["queue", "status", "--queue", url.replace("secret", "wrong")]);
      assert.equal(await command.end(30_000), 2, command.text);
      assert.match(command.text, /wanted a user and a password that it takes/);
      assert.doesNotMatch(command.text, /wrong/);
    }),
});

/** Numbers of the demo's size as an .npy file, one of them as is wanted. */
async function writeSamples(path: string, count: number, odd: { at: number; value: number }) {
  const dict = `{'descr': '<f4', 'fortran_order': False, 'shape': (${count}, 1, 28, 28), }`;
  const head = new TextEncoder().encode(dict.padEnd(117) + "\n");
  const values = new Float32Array(count * 784).map((_, i) => (i * 37 % 256) / 255);
  values[odd.at * 784 + 5] = odd.value;
  const magic = Uint8Array.of(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, head.length, 0);
  await Deno.writeFile(path, new Blob([magic, head, values]).stream());
}

Deno.test({
  name:
    "a sample that makes NaN ends a run with one machine's message, untried again, and is left out where that is wished",
  ...withRedis,
  fn: () =>
    withServer(startRedis, async ({ url }, folder) => {
      await writeSamples(`${folder}/x.npy`, 24, { at: 17, value: NaN });
      const own = ["calibrate", "--model", "data/fashion/model.onnx", "--data", `${folder}/x.npy`];
      const place = ["--queue", url, "--results", `${folder}/results`, "--shards", "4"];
      const worker = await startWorker(place.slice(0, 4));
      try {
        const one = await runCommand(...own, "--out", `${folder}/one`);
        assert.equal(one.code, 1);
        const run = new Command([...own, ...place, "--out", `${folder}/two`]);
        assert.equal(await run.end(), 1, run.text);
        assert.equal(lastLine(run.text), lastLine(one.error));
        assert.equal(worker.text.match(/shard 3 of 4 .* begins/g)?.length, 1, worker.text);
        const skip = ["--on-nonfinite", "skip"];
        const skipped = await runCommand(...own, ...skip, "--out", `${folder}/one`);
        assert.equal(skipped.code, 0, skipped.error);
        const text = await finish([...own, ...skip, ...place, "--out", `${folder}/two`]);
        await sameFile(`${folder}/one`, `${folder}/two`);
        const note = /left out: .*/.exec(skipped.error)![0];
        assert.ok(text.includes(note), `${note}\n${text}`);
        await stopWorkers([worker]);
      } finally {
        worker.kill("SIGKILL");
      }
    }),
});

Deno.test({
  name: "a file that is broken is one machine's message, and mended, --resume takes what is done",
  ...withRedis,
  fn: () =>
    withServer(startRedis, async ({ url }, folder) => {
      await Deno.mkdir(`${folder}/images`);
      const image = greyBitmap();
      for (let i = 0; i < 60; i++) await Deno.writeFile(`${folder}/images/${10 + i}.bmp`, image);
      const broken = `${folder}/images/65.bmp`;
      await Deno.writeFile(broken, new Uint8Array(image.length));
      const own = ["calibrate", "--model", "data/fashion/model.onnx", "--data", `${folder}/images`];
      const shape = ["--preprocess", `${folder}/grey.json`];
      await Deno.writeTextFile(
        `${folder}/grey.json`,
        JSON.stringify({ resize: { width: 28, height: 28 }, grayscale: true }),
      );
      const place = ["--queue", url, "--results", `${folder}/results`, "--shards", "4"];
      const all = [...own, ...shape, ...place, "--run-name", "mended", "--out", `${folder}/two`];
      const worker = await startWorker(place.slice(0, 4));
      try {
        const one = await runCommand(...own, ...shape, "--out", `${folder}/one`);
        assert.equal(one.code, 1, one.error);
        const run = new Command(all);
        assert.equal(await run.end(), 1, run.text);
        assert.equal(lastLine(run.text), lastLine(one.error));
        const again = new Command(all);
        assert.equal(await again.end(), 2, again.text);
        assert.match(again.text, /Go on with --resume/);
        const other = new Command([...all, "--resume", "--on-broken", "skip"]);
        assert.equal(await other.end(), 2, other.text);
        assert.match(other.text, /results of another model, other data or options/);
        worker.text = "";
        await Deno.writeFile(broken, image);
        assert.equal((await runCommand(...own, ...shape, "--out", `${folder}/one`)).code, 0);
        await finish([...all, "--resume"]);
        assert.match(worker.text, /shard 4 of 4 .* begins/);
        assert.doesNotMatch(worker.text, /shard [123] of 4 .* begins/);
        await sameFile(`${folder}/one`, `${folder}/two`);
        await stopWorkers([worker]);
      } finally {
        worker.kill("SIGKILL");
      }
    }),
});

/** A picture of 28 × 28 grey pixels as a BMP file. */
function greyBitmap(): Uint8Array {
  const bytes = new Uint8Array(54 + 28 * 28 * 3).fill(128);
  const view = new DataView(bytes.buffer);
  bytes.fill(0, 0, 54);
  view.setUint16(0, 0x424d);
  view.setUint32(2, bytes.length, true);
  view.setUint32(10, 54, true);
  view.setUint32(14, 40, true);
  view.setInt32(18, 28, true);
  view.setInt32(22, 28, true);
  view.setUint16(26, 1, true);
  view.setUint16(28, 24, true);
  view.setUint32(34, 28 * 28 * 3, true);
  return bytes;
}

Deno.test({
  name: "workers refuse another model, and those of another build are told so and take nothing",
  ...withRedis,
  fn: () =>
    withServer(startRedis, async ({ url }, folder) => {
      const place = ["--queue", url, "--results", `${folder}/results`];
      const worker = await startWorker(place);
      const broker = await openBroker({}, url);
      try {
        assert.equal(await broker.queue(workQueue("plimsoll", ownBuild())).getWorkersCount(), 1);
        const build = { plimsoll: "9.9.9", runtime: "onnxruntime-web 1.30.0" };
        const runs = broker.queue(runsQueue("plimsoll"));
        await runs.add(
          "run",
          announcementSchema.parse({
            ...{ kind: "run", run: "later", content: "0".repeat(64), build, results: folder },
            ...{ queue: workQueue("plimsoll", build), machine: "m", since: "now" },
          }),
          { jobId: "later" },
        );
        await worker.says(/takes nothing of run later: it wants plimsoll 9\.9\.9/);
        assert.match((await runs.getJobLogs("later")).logs.join(), /takes nothing: it is plimsoll/);
        assert.match(await finish(["queue", "status", "--queue", url]), /workers that fit: 0/);
        assert.match(
          await finish(["queue", "clean", "--queue", url]),
          /Took 1 run out of the queue: later/,
        );
        // The model is read by the run, and changed before the worker reads it.
        await Deno.copyFile("data/fashion/model.onnx", `${folder}/m.onnx`);
        await writeSamples(`${folder}/x.npy`, 8, { at: 0, value: 0.5 });
        await stopWorkers([worker]);
        const run = new Command([
          ...["calibrate", "--model", `${folder}/m.onnx`, "--data", `${folder}/x.npy`],
          ...[...place, "--shards", "2", "--out", `${folder}/two`],
        ]);
        await run.says(/8 samples in 2 shards/);
        await run.says(/no worker takes shards of this run yet/);
        const bytes = await Deno.readFile(`${folder}/m.onnx`);
        await Deno.writeFile(`${folder}/m.onnx`, new Uint8Array([...bytes, 0x1a, 1, 0x78]));
        const late = await startWorker(place);
        try {
          assert.equal(await run.end(), 1, run.text);
          assert.match(run.text, /wanted the model of SHA-256/);
          await stopWorkers([late]);
        } finally {
          late.kill("SIGKILL");
          run.kill("SIGKILL");
        }
      } finally {
        worker.kill("SIGKILL");
        await broker.close();
      }
    }),
});

Deno.test({
  name: "a run of the same name is refused while it is there, and can be cancelled",
  ...withRedis,
  fn: () =>
    withServer(startRedis, async ({ url }, folder) => {
      const place = ["--queue", url, "--results", `${folder}/results`];
      const first = new Command([
        ...["calibrate", "--samples", "16", ...place, "--shards", "2", "--run-name", "same"],
        ...["--out", `${folder}/one`],
      ]);
      try {
        await first.says(/16 samples in 2 shards/);
        const second = new Command([
          ...["calibrate", "--samples", "8", ...place, "--run-name", "same"],
          ...["--out", `${folder}/two`],
        ]);
        assert.equal(await second.end(), 2, second.text);
        assert.match(second.text, /found one of another model, data and options/);
        assert.match(second.text, /which is still followed/);
        assert.match(await finish(["queue", "status", "--queue", url]), /shards: 2 waiting/);
        await finish(["queue", "cancel", "same", "--queue", url, "--results", `${folder}/results`]);
        assert.equal(await first.end(), 1, first.text);
        assert.match(first.text, /somebody has cancelled it/);
        const none = new Command(["queue", "cancel", "same", "--queue", url]);
        assert.equal(await none.end(), 2);
        assert.match(none.text, /looking for run "same"/);
      } finally {
        first.kill("SIGKILL");
      }
    }),
});

Deno.test({
  name:
    "results that find no room end a run with one message, and --resume goes on when there is some",
  ...withRedis,
  fn: () =>
    withServer(startRedis, async ({ url }, folder) => {
      const files = new Map<string, Uint8Array<ArrayBuffer>>();
      let isFull = true;
      const bucket = Deno.serve(
        { port: 0, hostname: "127.0.0.1", onListen: () => {} },
        async (request) => {
          const { pathname, searchParams } = new URL(request.url);
          if (searchParams.has("list-type")) {
            const prefix = `/shards/${searchParams.get("prefix")}`;
            const keys = [...files.keys()].filter((key) => key.startsWith(prefix));
            return new Response(keys.map((key) => `<Key>${key.slice(8)}</Key>`).join(""));
          }
          if (request.method === "PUT") {
            const bytes = await new Response(request.body).bytes();
            if (isFull && bytes.length > 20_000) {
              const xml =
                "<Error><Code>XMinioStorageFull</Code><Message>disk full</Message></Error>";
              return new Response(xml, { status: 507 });
            }
            files.set(pathname, bytes);
            return new Response();
          }
          if (request.method === "DELETE") files.delete(pathname);
          const found = files.get(pathname);
          return found === undefined ? new Response("", { status: 404 }) : new Response(found);
        },
      );
      const env = {
        AWS_ACCESS_KEY_ID: "a",
        AWS_SECRET_ACCESS_KEY: "b",
        AWS_ENDPOINT_URL: `http://127.0.0.1:${bucket.addr.port}`,
      };
      const calibrate = ["calibrate", "--samples", "32"];
      assert.equal((await runCommand(...calibrate, "--out", `${folder}/one`)).code, 0);
      const place = ["--queue", url, "--results", "s3://shards/r"];
      const all = [...calibrate, ...place, "--shards", "2", "--out", `${folder}/two`];
      const worker = await startWorker(place, env);
      try {
        const run = new Command(all, env);
        assert.equal(await run.end(), 1, run.text);
        assert.match(lastLine(run.text), /found status 507.*XMinioStorageFull, disk full/);
        assert.match(lastLine(run.text), /--resume/);
        isFull = false;
        await finish([...all, "--resume"], env);
        await sameFile(`${folder}/one`, `${folder}/two`);
        assert.deepEqual([...files.keys()], []);
        await stopWorkers([worker]);
      } finally {
        worker.kill("SIGKILL");
        await bucket.shutdown();
      }
    }),
});
