/** A calibration that is killed goes on where its last checkpoint was, and ends with the same bytes. */
import assert from "node:assert/strict";
import { CALIBRATION, DEMO_MODEL } from "../../support/demo.ts";
import { uniform } from "../../support/random.ts";
import { runCommand } from "../../support/cli.ts";
import { equalBytes } from "../../support/equal_bytes.ts";

const SAMPLES = 240;
const calibrate = (folder: string, out: string, ...more: string[]) => [
  ...["calibrate", "--model", DEMO_MODEL, "--data", CALIBRATION, "--samples", `${SAMPLES}`],
  // As in this process: onnxruntime-node may lie in the cache.
  ...["--out", `${folder}/${out}`, "--runtime", "wasm", ...more],
];

function start(args: string[]): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--lock=deno.lock", "-A", "--no-check", "main.ts", ...args],
    stdout: "null",
    stderr: "piped",
  }).spawn();
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

for (const workers of ["1", "2"]) {
  Deno.test(`calibrate killed at random moments resumes to the same bytes: ${workers} workers`, async () => {
    const folder = await Deno.makeTempDir();
    try {
      const whole = await runCommand(...calibrate(folder, "whole.plim"));
      assert.equal(whole.code, 0, whole.error);
      const random = uniform(Number(workers));
      const checkpoint = `${folder}/c.plim`;
      const args = calibrate(
        ...[
          folder,
          "resumed.plim",
          "--checkpoint",
          checkpoint,
          "--every",
          "16",
          "--resume",
        ] as const,
        ...["--workers", workers],
      );
      let kills = 0;
      for (let attempt = 0; attempt < 12; attempt++) {
        const process = start(args);
        // Kill at a random moment after the first checkpoint of this attempt; the last one runs to its end.
        const before = await Deno.stat(checkpoint).then(({ mtime }) => mtime!.getTime(), () => 0);
        let isOver = false;
        const ended = process.output().then((output) => {
          isOver = true;
          return output;
        });
        if (attempt < 3) {
          while (!isOver) {
            const now = await Deno.stat(checkpoint).then(({ mtime }) => mtime!.getTime(), () => 0);
            if (now > before) break;
            await new Promise((resolve) => setTimeout(resolve, 5));
          }
          await new Promise((resolve) => setTimeout(resolve, 60 * random()));
          if (!isOver) {
            process.kill("SIGKILL");
            kills++;
          }
        }
        const { success, stderr } = await ended;
        if (success) break;
        assert.ok(attempt < 3, new TextDecoder().decode(stderr));
      }
      assert.ok(kills > 0, "it was never killed");
      const [resumed, all] = [`${folder}/resumed.plim`, `${folder}/whole.plim`];
      assert.ok(equalBytes(await Deno.readFile(resumed), await Deno.readFile(all)));
      // What was half written when it was killed is gone, too.
      const left = Array.from(Deno.readDirSync(folder), ({ name }) => name);
      assert.deepEqual(left.sort(), ["c.plim", "resumed.plim", "whole.plim"]);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.test(`calibrate interrupted by ${signal} writes a checkpoint and says how to go on`, async () => {
    await interrupted(signal);
  });
}

async function interrupted(signal: Deno.Signal): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const checkpoint = `${folder}/c.plim`;
    const process = start(calibrate(folder, "s.plim", "--checkpoint", checkpoint, "--every", "16"));
    const ended = process.output();
    for (let i = 0; i < 4000 && !await exists(checkpoint); i++) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    process.kill(signal);
    const { code, stderr } = await ended;
    assert.equal(code, 130);
    assert.match(
      new TextDecoder().decode(stderr),
      /Interrupted: go on with --resume --checkpoint .*c\.plim/,
    );
    assert.ok(!await exists(`${folder}/s.plim`));
    const again = await runCommand(...calibrate(folder, "s.plim", "--checkpoint", checkpoint));
    assert.equal(again.code, 2);
    assert.match(again.error, /there already.*--resume/);
    const resumed = await runCommand(
      ...calibrate(folder, "s.plim", "--checkpoint", checkpoint, "--resume", "--json"),
    );
    assert.equal(JSON.parse(resumed.out).data.samples, SAMPLES);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("calibrate from a server that breaks off and is busy resumes to the bytes of the file", async () => {
  const folder = await Deno.makeTempDir();
  const bytes = await Deno.readFile(CALIBRATION);
  let requests = 0;
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    requests++;
    if (requests % 3 === 2) return new Response("busy", { status: 503 });
    const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.get("range") ?? "") ?? [];
    const begin = Number(from ?? 0);
    const end = to ? Number(to) + 1 : bytes.length;
    let at = begin;
    const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
      pull: (controller) => {
        // Half of what is left, and then nothing more.
        if (at > begin && at - begin > (end - begin) / 2) {
          return controller.error(new Error("gone"));
        }
        const next = Math.min(end, at + 8192);
        controller.enqueue(bytes.slice(at, next));
        at = next;
        if (at === end) controller.close();
      },
    });
    const headers = { "content-range": `bytes ${begin}-${end - 1}/${bytes.length}`, etag: '"1"' };
    return new Response(body, { status: 206, headers });
  });
  try {
    const data = `http://127.0.0.1:${server.addr.port}/calibration-images-idx3-ubyte.gz`;
    const remote = (out: string, ...more: string[]) =>
      calibrate(folder, out, ...more).map((arg) => arg === CALIBRATION ? data : arg);
    const preprocess = ["--preprocess", "data/fashion/preprocess.json"];
    const whole = await runCommand(...calibrate(folder, "whole.plim"));
    assert.equal(whole.code, 0, whole.error);
    const checkpoint = ["--checkpoint", `${folder}/c.plim`, "--every", "16"];
    const process = start(remote("remote.plim", ...preprocess, ...checkpoint));
    const ended = process.output();
    for (let i = 0; i < 4000 && !await exists(`${folder}/c.plim`); i++) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    process.kill("SIGKILL");
    await ended;
    const resumed = await runCommand(
      ...remote("remote.plim", ...preprocess, ...checkpoint, "--resume"),
    );
    assert.equal(resumed.code, 0, resumed.error);
    assert.deepEqual(
      await Deno.readFile(`${folder}/remote.plim`),
      await Deno.readFile(`${folder}/whole.plim`),
    );
    assert.ok(requests > 3, `${requests} requests`);
  } finally {
    await server.shutdown();
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("three shards and merge give the bytes of one run, at the command line", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const run = async (args: string[]) => {
      const { code, error } = await runCommand(...args);
      assert.equal(code, 0, error);
    };
    await run(calibrate(folder, "whole.plim"));
    for (const i of [1, 2, 3]) await run(calibrate(folder, `${i}.plim`, "--shard", `${i}/3`));
    const parts = [2, 3, 1].map((i) => `${folder}/${i}.plim`);
    await run(["merge", ...parts, "--out", `${folder}/merged.plim`]);
    assert.deepEqual(
      await Deno.readFile(`${folder}/merged.plim`),
      await Deno.readFile(`${folder}/whole.plim`),
    );
    const twice = await runCommand("merge", parts[0], parts[0], "--out", `${folder}/no.plim`);
    assert.equal(twice.code, 1);
    assert.match(twice.error, /sample 1 of source .* in two of them/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
