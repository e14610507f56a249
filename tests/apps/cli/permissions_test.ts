/** What a command may do: no more than its arguments name. */
import assert from "node:assert/strict";
import { denoFlags, permissionsFor, type Places } from "../../../apps/cli/permissions.ts";
import { parent } from "../../../apps/hosts/failures.ts";
import { inFolder } from "../../support/cli.ts";

const places = (files: Readonly<Record<string, "file" | "folder">>): Places => ({
  program: ["/program"],
  library: "/cache/node/bin/library",
  kindOf: (path) => files[path] ?? (path === "." ? "folder" : undefined),
  parent,
});

Deno.test("the network is there only where an address is named", () => {
  const net = (...args: string[]) => permissionsFor(args, places({})).net;
  assert.equal(net("quantize", "--model", "m.onnx", "--data", "d/"), false);
  assert.equal(net("quantize", "--data", "https://host/d.tar"), true);
  assert.equal(net("calibrate", "--data=http://host/d.tar"), true);
  assert.equal(net("inspect", "m.onnx"), false);
});

Deno.test("reading is for what is named, with what lies beside it", () => {
  const known = places({ "m/a.onnx": "file", "photos": "folder" });
  const { read } = permissionsFor(["calibrate", "--model=m/a.onnx", "--data", "photos"], known);
  for (
    const path of ["/program", "m/a.onnx", "m", "photos", "./classes.txt", "./preprocess.json"]
  ) {
    assert.ok(read.includes(path), path);
  }
  assert.ok(!read.includes("."));
  assert.ok(!read.includes("/"));
});

Deno.test("writing is for what is named, and for out/ where nothing is", () => {
  const write = (...args: string[]) => permissionsFor(args, places({ "runs": "folder" })).write;
  assert.deepEqual(write("inspect", "m.onnx"), []);
  assert.deepEqual(write("targets", "show", "default"), []);
  assert.deepEqual(write("evaluate", "m.onnx", "--data", "d"), []);
  assert.deepEqual(write("quantize"), ["out"]);
  assert.deepEqual(write("quantize", "--out", "runs/1"), ["runs/1"]);
  assert.deepEqual(write("quantize", "--out", "new/1"), ["new/1", "new"]);
  assert.deepEqual(write("search", "--out", "runs/m.json"), ["runs"]);
  assert.deepEqual(
    write("calibrate", "--out=runs/a.plim", "--checkpoint", "runs/c.plim"),
    ["runs"],
  );
  const nothing = {
    read: ["a", "b"],
    write: [],
    net: false,
    readAll: false,
    ffi: [],
    memory: false,
  } as const;
  assert.deepEqual(denoFlags({ ...nothing, env: "terminal" }), [
    "--allow-read=a,b",
    "--allow-env=NO_COLOR,FORCE_COLOR,CLICOLOR_FORCE",
  ]);
  assert.deepEqual(denoFlags({ ...nothing, env: "buckets", readAll: true, net: true }), [
    ...["--allow-read", "--allow-net"],
    "--allow-env=NO_COLOR,FORCE_COLOR,CLICOLOR_FORCE,AWS_*",
  ]);
});

Deno.test("native code is loaded where it is installed, for what runs models, and not with --runtime wasm", () => {
  const installed = places({ "/cache/node/bin/library": "folder" });
  const of = (...args: string[]) => permissionsFor(args, installed);
  const ffi = ["/cache/node/bin/library"];
  assert.deepEqual(of("quantize").ffi, ffi);
  assert.deepEqual(of("evaluate", "m.onnx", "--runtime=native").ffi, ffi);
  assert.ok(of("quantize").read.includes("/cache/node/"));
  assert.ok(denoFlags(of("quantize")).includes("--allow-ffi=/cache/node/bin/library"));
  assert.deepEqual(of("quantize", "--runtime", "wasm").ffi, []);
  assert.deepEqual(of("calibrate", "--runtime=wasm").ffi, []);
  assert.deepEqual(of("search").ffi, []);
  assert.deepEqual(of("serve").ffi, []);
  assert.deepEqual(permissionsFor(["quantize"], places({})).ffi, []);
});

Deno.test("a queue is the network and the environment, and its results a folder that is written", () => {
  const of = (...args: string[]) => permissionsFor(args, places({ "shared": "folder" }));
  const run = of("calibrate", "--queue", "redis://h", "--results", "shared/r", "--out", "o/a.plim");
  assert.deepEqual([run.net, run.env, run.readAll], [true, "all", false]);
  assert.deepEqual(run.write, ["shared/r", "o"]);
  assert.ok(!run.read.some((path) => path.includes("redis")));
  const worker = of("worker", "--queue=postgres://h/d", "--results", "s3://b/r");
  assert.deepEqual([worker.net, worker.env, worker.readAll], [true, "all", true]);
  assert.deepEqual(worker.write, []);
  const kept = of("worker", "--queue", "redis://h", "--results", "r", "--share", "shared", "more");
  assert.equal(kept.readAll, false);
  assert.ok(kept.read.includes("shared") && kept.read.includes("more"));
  const bucket = of("inspect", "s3://b/m.onnx");
  assert.deepEqual([bucket.net, bucket.env], [true, "buckets"]);
});

Deno.test("JSON among the arguments is no path, and a path with a comma is allowed by a folder above", () => {
  const override = '{"match":{"node":"/head/*"},"quantize":false}';
  const known = places({ "d/a,b/m.onnx": "file" });
  const { read, write } = permissionsFor(
    ["quantize", "--model", "d/a,b/m.onnx", "--override", override, "--out", "runs/x,y"],
    known,
  );
  assert.deepEqual(read, ["/program", "out", "d", "runs"]);
  assert.deepEqual(write, ["runs"]);
});

Deno.test("a task does its work with that, and no command of it writes where nothing was named", () =>
  inFolder(async (folder) => {
    const { tasks } = JSON.parse(Deno.readTextFileSync("deno.json"));
    const run = async (task: string, ...args: string[]) => {
      const command = tasks[task].command.split(" ").slice(1);
      const { code, stderr } = await new Deno.Command(Deno.execPath(), {
        args: [...command, ...args],
        stdout: "null",
      }).output();
      return { code, error: new TextDecoder().decode(stderr) };
    };
    const data = "data/fashion/calibration-images-idx3-ubyte.gz";
    const out = `${folder}/new/m.plim`;
    const model = "data/fashion/model.onnx";
    const done = await run(
      "calibrate",
      ...["--model", model, "--data", data, "--samples", "8", "--workers", "2", "--out", out],
    );
    assert.equal(done.code, 0, done.error);
    assert.equal((await run("inspect", out)).code, 0);
    const search = await run("search", "--statistics", out, "--out", `${folder}/new/m.json`);
    assert.equal(search.code, 0, search.error);
    // Under another name for it the place of output is one of input, and can't be written.
    const { code } = await run("search", "--statistics", out, "--title", `${folder}/x.json`);
    assert.equal(code, 2);
    for (const task of ["inspect", "targets"]) {
      assert.doesNotMatch(tasks[task].command, /--allow-(write|net)|-A/);
    }
  }));
