/** `--data` and what belongs to it, through the command line. */
import assert from "node:assert/strict";
import { inFolder, runCommand } from "../../support/cli.ts";

/** Images of the demo model's shape, each of one value. */
const values = (i: number) => Float32Array.from({ length: 28 * 28 }, (_, p) => (i + p) / 800);
const line = (i: number) => JSON.stringify({ input: [rows(values(i))], label: i });
const rows = (flat: Float32Array) =>
  Array.from({ length: 28 }, (_, y) => [...flat.subarray(28 * y, 28 * y + 28)]);

Deno.test("calibrate takes NDJSON, stops at a broken line, and leaves it out when told to", async () => {
  await inFolder(async (folder) => {
    const data = `${folder}/a.ndjson`;
    await Deno.writeTextFile(data, [line(0), line(1), '{"input": [', line(2)].join("\n"));
    const args = ["calibrate", "--data", data, "--out", `${folder}/s.plim`];
    const failed = await runCommand(...args);
    assert.equal(failed.code, 1);
    assert.match(failed.error, /While reading line 3 of ".*a\.ndjson": .*--on-broken skip/);
    const done = await runCommand(...args, "--on-broken", "skip");
    assert.equal(done.code, 0, done.error);
    assert.match(done.out, /from 3 samples/);
    assert.match(done.error, /broken sample 1: While reading line 3/);
  });
});

Deno.test("evaluate takes raw values with labels from a file", async () => {
  await inFolder(async (folder) => {
    const data = `${folder}/a.f32`;
    const all = [0, 1, 2].map((i) => new Uint8Array(values(i).buffer));
    await Deno.writeFile(data, new Uint8Array(await new Blob(all).arrayBuffer()));
    await Deno.writeTextFile(`${folder}/labels.csv`, "label\n7\n8\n9\n");
    const model = "data/fashion/model.onnx";
    const args = ["evaluate", model, "--data", data, "--labels", `${folder}/labels.csv`, "--json"];
    const { code, out, error } = await runCommand(...args, "--input-shape", "1x28x28");
    assert.equal(code, 0, error);
    const { models: [{ classes, top1 }] } = JSON.parse(out);
    assert.ok(top1 !== null);
    assert.deepEqual(classes.map(({ label }: { label: number }) => label), [7, 8, 9]);
  });
});

Deno.test("options of data that make no sense are refused with usage", async () => {
  for (
    const [args, message] of [
      [["--label-pattern", "("], /Give a regular expression/],
      [["--label-pattern", "\\d+"], /with a group/],
      [["--input-shape", "3x0"], /such as 3x224x224/],
      [["--data-format", "rar"], /Allowed choices are tar, zip/],
      [["--on-broken", "ignore"], /Allowed choices are fail, skip/],
    ] as const
  ) {
    const { code, error } = await runCommand("calibrate", ...args);
    assert.equal(code, 2);
    assert.match(error, message);
  }
  const { code, error } = await runCommand("calibrate", "--data", "data/fashion/README.md");
  assert.equal(code, 1);
  assert.match(error, /no such file/);
});

Deno.test("samples that all make NaN give no thresholds", () =>
  inFolder(async (folder) => {
    const data = `${folder}/a.f32`;
    const all = new Float32Array(2 * 28 * 28);
    all[5] = all[28 * 28] = NaN;
    await Deno.writeFile(data, new Uint8Array(all.buffer));
    const more = ["--data", data, "--input-shape", "1x28x28"];
    const { code, error } = await runCommand(
      ...["quantize", "--on-nonfinite", "skip", "--out", `${folder}/out`, ...more],
    );
    assert.equal(code, 1);
    assert.match(error, /wanted statistics of at least one sample, found none: 2 made NaN/);
  }));

Deno.test("a model is fetched from an address", async () => {
  const bytes = await Deno.readFile("data/fashion/model.onnx");
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    ({ url }) => url.endsWith("m.onnx") ? new Response(bytes) : new Response("", { status: 404 }),
  );
  const address = `http://127.0.0.1:${server.addr.port}/m.onnx`;
  const more = ["--data", "data/fashion/evaluation-images-idx3-ubyte.gz", "--samples", "8"];
  const { code, out, error } = await runCommand("evaluate", address, ...more);
  assert.equal(code, 0, error);
  assert.match(out, /m\.onnx/);
  const missing = await runCommand("evaluate", `${address}x`, ...more);
  assert.match(missing.error, /fetching .* found status 404/);
});
