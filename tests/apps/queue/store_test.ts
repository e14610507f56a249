/** Places of results, and what travels through a queue: whole or refused. */
import assert from "node:assert/strict";
import { PlimsollError } from "../../../core/errors.ts";
import { denoHost } from "../../../apps/hosts/deno.ts";
import { withoutPassword } from "../../../apps/queue/broker.ts";
import { failureOf, failureText } from "../../../apps/queue/failure.ts";
import { checked, jobSchema, workQueue } from "../../../apps/queue/job.ts";
import { withS3 } from "../../../apps/queue/s3.ts";
import { openStore, readHashed, writeHashed } from "../../../apps/queue/store.ts";
import { inFolder } from "../../support/cli.ts";

Deno.test("a folder gives what was written, lists it, and is empty when all of it is removed", () =>
  inFolder(async (folder) => {
    const store = openStore(denoHost, `${folder}/results/`);
    await store.check();
    const bytes = new TextEncoder().encode("a part");
    const hash = await writeHashed(store, "run", bytes);
    assert.equal(await writeHashed(store, "run", bytes), hash);
    assert.deepEqual(await readHashed(store, "run", hash), bytes);
    await store.write("run/shards/1.json", bytes);
    assert.equal(await store.read("run/shards/2.json"), undefined);
    const keys = await store.list("run/");
    assert.deepEqual(
      keys.toSorted(),
      [`run/${hash.slice(0, 2)}/${hash}`, "run/shards/1.json"].toSorted(),
    );
    await store.remove(keys);
    assert.deepEqual([...Deno.readDirSync(`${folder}/results`)], []);
  }));

Deno.test("other bytes than those of the hash are refused, and none as well", () =>
  inFolder(async (folder) => {
    const store = openStore(denoHost, folder);
    const hash = await writeHashed(store, "run", Uint8Array.of(1));
    await Deno.writeFile(`${folder}/run/${hash.slice(0, 2)}/${hash}`, Uint8Array.of(2));
    await assert.rejects(readHashed(store, "run", hash), /wanted the bytes of SHA-256/);
    await assert.rejects(readHashed(store, "run", "0".repeat(64)), /found nothing/);
  }));

Deno.test("s3:// goes to the endpoint, signed, with names as they are, and without keys it says which", async () => {
  const requests: [string, Headers][] = [];
  const env: Record<string, string> = {
    AWS_ACCESS_KEY_ID: "key",
    AWS_SECRET_ACCESS_KEY: "secret",
    AWS_ENDPOINT_URL: "http://host:9000/",
  };
  const host = {
    environment: (name: string) => env[name],
    fetch: (url: string, init?: RequestInit) => {
      requests.push([url, new Headers(init?.headers)]);
      return Promise.resolve(new Response("ok"));
    },
  };
  await withS3(host).fetch("s3://bucket/a folder/é+.tar", { headers: { range: "bytes=0-" } });
  await withS3(host).fetch("https://elsewhere/x");
  const [[url, headers], [other, none]] = requests;
  assert.equal(url, "http://host:9000/bucket/a%20folder/%C3%A9%2B.tar");
  assert.match(headers.get("authorization")!, /^AWS4-HMAC-SHA256 Credential=key\//);
  assert.doesNotMatch([...headers].join(), /secret/);
  assert.equal(headers.get("range"), "bytes=0-");
  assert.deepEqual([other, none.get("authorization")], ["https://elsewhere/x", null]);
  delete env.AWS_ENDPOINT_URL;
  env.AWS_REGION = "eu-north-1";
  await withS3(host).fetch("s3://bucket/x");
  assert.equal(requests.at(-1)![0], "https://bucket.s3.eu-north-1.amazonaws.com/x");
  delete env.AWS_SECRET_ACCESS_KEY;
  await assert.rejects(withS3(host).fetch("s3://bucket/x"), /found no AWS_SECRET_ACCESS_KEY/);
});

Deno.test("a failure comes out of the queue as it went in", () => {
  const parts = { action: "a", wanted: "b", found: "c", remedy: "D" };
  const error = new PlimsollError("data", { ...parts, cause: new Error("x") });
  const received = failureOf(failureText(error), "shard 1");
  assert.deepEqual([received.kind, received.message], [error.kind, error.message]);
  const lost = failureOf("job stalled more than allowable limit", "shard 1 of 3");
  assert.match(lost.message, /gathering shard 1 of 3 .*workers that ended over it/);
  assert.match(failureOf('{"kind": "other"}', "shard 1").message, /found \{"kind": "other"\}/);
});

Deno.test("jobs that aren't as this version writes them are refused, and passwords not shown", () => {
  const shard = {
    ...{ kind: "shard", run: "r", order: "0".repeat(64), shard: 0, of: 1, results: "x" },
    ranges: [[0, 4]],
  };
  assert.deepEqual(checked(jobSchema, shard, "a job"), shard);
  for (const odd of [{ run: "../r" }, { order: "../../x" }, { ranges: [] }, { more: 1 }]) {
    assert.throws(() => checked(jobSchema, { ...shard, ...odd }, "a job"), PlimsollError);
  }
  assert.equal(withoutPassword("redis://me:p:w/x@host:1/2"), "redis://me:…@host:1/2");
  assert.equal(withoutPassword("--queue=postgres://u:p@h/d"), "--queue=postgres://u:…@h/d");
  assert.equal(withoutPassword("redis://host:6379"), "redis://host:6379");
  const build = { plimsoll: "1.2.3", runtime: "onnxruntime-web 1.30.0" };
  assert.equal(workQueue("q", build), "q@1.2.3+onnxruntime-web-1.30.0");
});

Deno.test("options and commands of docs/distributed.md and the compose file are there", async () => {
  const texts = await Promise.all(
    ["docs/distributed.md", "examples/compose.yaml", "examples/worker.Dockerfile"].map((path) =>
      Deno.readTextFile(path)
    ),
  );
  const { runCommand } = await import("../../support/cli.ts");
  const helps = await Promise.all(
    [["worker"], ["calibrate"], ["quantize"], ["queue"], ["queue", "clean"]].map(async (command) =>
      (await runCommand(...command, "--help")).out
    ),
  );
  // Of docker, npm, Valkey, MinIO and Deno.
  const others =
    /^--(build|detach|rm|scale|requirepass|maxmemory-policy|appendonly|console-address|ignore-existing|frozen|entrypoint|allow-\w+|cached-only|lock|no-prompt|help)$/;
  for (const [option] of texts.join("\n").matchAll(/--[a-z][a-z-]+/g)) {
    if (others.test(option)) continue;
    assert.ok(helps.some((help) => help.includes(option)), option);
  }
});
