/** The npm package, installed in a folder of its own and used by Node. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { stopBundling } from "../../../build/bundle.ts";
import { buildOnce } from "../../../build/cached.ts";
import { run } from "../../../build/install.ts";
import { buildPackage, PACKAGE_FILE } from "../../../build/npm_package.ts";
import { readPlim } from "../../../pipeline/statistics/plim.ts";
import { imagenetModel } from "../../support/imagenet_model.ts";
import { withoutRun } from "../../support/without_run.ts";
import { runCommand } from "../../support/cli.ts";
import { bytesOf, demoForm, demoOptions, quantizeDemo } from "../../support/requests.ts";
import { TextLineStream } from "../../support/text_lines.ts";

const FOLDER = await Deno.makeTempDir({ prefix: "plimsoll npm " });
addEventListener("unload", () => Deno.removeSync(FOLDER, { recursive: true }));
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const options = { sanitizeOps: false, sanitizeResources: false };

const node = (...args: string[]) => run("node", args, { cwd: FOLDER });
const plimsoll = (...args: string[]) => run("npx", ["plimsoll", ...args], { cwd: FOLDER });
const npmInstall = (...packages: string[]) =>
  run(
    "npm",
    ["install", "--no-audit", "--no-fund", "--prefer-offline", "--ignore-scripts", ...packages],
    { cwd: FOLDER, env: { ONNXRUNTIME_NODE_INSTALL: "skip" } },
  );

Deno.test(
  "the package installs, and npx plimsoll gives the bytes of the command line under Deno",
  options,
  async () => {
    await buildOnce(new URL("npm.stamp", PACKAGE_FILE), buildPackage);
    await stopBundling();
    await Deno.writeTextFile(`${FOLDER}/package.json`, '{"private": true, "type": "module"}');
    await npmInstall(PACKAGE_FILE.pathname);
    const out = await plimsoll(...quantizeDemo("node"));
    assert.match(out, /29 activations and 23 weight tensors quantized/);
    const { code, error } = await runCommand(...quantizeDemo(`${FOLDER}/deno`));
    assert.equal(code, 0, error);
    for (const name of ["statistics.plim", "manifest.json", "model.onnx", "report.html"]) {
      assert.deepEqual(
        withoutRun(`${FOLDER}/node/${name}`),
        withoutRun(`${FOLDER}/deno/${name}`),
        name,
      );
    }
  },
);

Deno.test(
  "npx plimsoll serve answers as the command line does, and ends when interrupted",
  options,
  async () => {
    const process = new Deno.Command("node", {
      args: ["node_modules/plimsoll/plimsoll.js", "serve", "--port", "0"],
      ...{ cwd: FOLDER, stdin: "null", stdout: "null", stderr: "piped" },
      env: { PLIMSOLL_TOKEN: "secret" },
    }).spawn();
    const reader = process.stderr.pipeThrough(new TextLineStream()).getReader();
    const { value: line } = await reader.read();
    const url = /Listening on (http:\/\/127\.0\.0\.1:\d+\/)/.exec(line!)?.[1];
    assert.ok(url, line ?? "nothing printed");
    const ask = async (headers: Record<string, string>) =>
      await fetch(`${url}v1/calibrate?${await demoOptions()}`, {
        ...{ method: "POST", headers, body: await demoForm() },
      });
    const refused = await ask({});
    assert.equal(refused.status, 401);
    await refused.body?.cancel();
    const statistics = await bytesOf(await ask({ authorization: "Bearer secret" }));
    assert.deepEqual(statistics, await Deno.readFile(`${FOLDER}/deno/statistics.plim`));
    // A second one on the same port says what to do.
    const second = await new Deno.Command("node", {
      args: ["node_modules/plimsoll/plimsoll.js", "serve", "--port", new URL(url).port],
      cwd: FOLDER,
    }).output();
    assert.equal(second.code, 1);
    assert.match(new TextDecoder().decode(second.stderr), /Give another --port/);
    process.kill("SIGINT");
    assert.equal((await process.status).code, 0);
    await reader.cancel();
  },
);

Deno.test("worker threads, standard input and help work under Node", options, async () => {
  const data = `${Deno.cwd()}/data/fashion/calibration-images-idx3-ubyte.gz`;
  const preprocess = `${Deno.cwd()}/data/fashion/preprocess.json`;
  await plimsoll("calibrate", "--samples", "64", "--workers", "2", "--out", "w.plim", "--quiet");
  assert.deepEqual(
    await Deno.readFile(`${FOLDER}/w.plim`),
    await Deno.readFile(`${FOLDER}/deno/statistics.plim`),
  );
  await run("sh", [
    "-c",
    `npx plimsoll calibrate --data - --preprocess '${preprocess}' --samples 64 --out p.plim < '${data}'`,
  ], { cwd: FOLDER });
  const piped = await readPlim(await Deno.readFile(`${FOLDER}/p.plim`), "p.plim");
  const file = await readPlim(await Deno.readFile(`${FOLDER}/w.plim`), "w.plim");
  assert.deepEqual(piped.tensors, file.tensors);
  assert.match(await plimsoll("search", "--help"), /npx plimsoll search --error noclipping/);
  const usage = await new Deno.Command("npx", {
    args: ["plimsoll", "quantize", "--bits", "99"],
    cwd: FOLDER,
  })
    .output();
  assert.equal(usage.code, 2);
  const broken = await new Deno.Command("npx", {
    ...{ args: ["plimsoll", "calibrate", "--model", "none.onnx", "--data", "none"], cwd: FOLDER },
  }).output();
  assert.equal(broken.code, 1);
  assert.match(new TextDecoder().decode(broken.stderr), /opening "none.onnx".*no such file/);
});

Deno.test("the package is a library of Node, with types", options, async () => {
  await Deno.copyFile("tests/support/hosts/library.mjs", `${FOLDER}/library.mjs`);
  const { statistics, model, inThreads, health } = JSON.parse(await node("library.mjs"));
  assert.equal(health, "ok");
  assert.equal(statistics, sha256(await Deno.readFile(`${FOLDER}/deno/statistics.plim`)));
  assert.equal(inThreads, statistics);
  assert.equal(model, sha256(await Deno.readFile(`${FOLDER}/deno/model.onnx`)));
});

/** Compilers that users have: the oldest that is promised, and the newest. */
const COMPILERS = ["5.6.3", "7.0.2"];

for (const version of COMPILERS) {
  Deno.test(
    `the package and the README's example compile with TypeScript ${version}, strictly, with its default libraries`,
    options,
    async () => {
      await Deno.copyFile("tests/support/hosts/consumer.ts.txt", `${FOLDER}/consumer.ts`);
      await Deno.copyFile("examples/quantize.ts", `${FOLDER}/example.ts`);
      await npmInstall(`typescript@${version}`, "@types/node@20");
      await run("npx", [
        ...["tsc", "--noEmit", "--strict", "--target", "es2022", "--module", "nodenext"],
        ...["--types", "node", "--skipLibCheck", "false", "consumer.ts", "example.ts"],
      ], { cwd: FOLDER });
    },
  );
}

Deno.test(
  "the README's example runs under Node, and under Deno in a folder outside the clone",
  options,
  async () => {
    const readme = await Deno.readTextFile("README.md");
    const example = await Deno.readTextFile("examples/quantize.ts");
    assert.ok(readme.includes(example.trim()), "the README has another example");
    await Deno.mkdir(`${FOLDER}/images`);
    for (const name of ["jpeg_444.jpg", "jpeg_rgb.jpg"]) {
      await Deno.copyFile(`tests/wasm/image/images/${name}`, `${FOLDER}/images/${name}`);
    }
    await Deno.writeFile(`${FOLDER}/m.onnx`, imagenetModel());
    await Deno.copyFile("examples/quantize.ts", `${FOLDER}/example.ts`);
    await node("--experimental-strip-types", "example.ts").catch(async () => {
      // Node 20 takes JavaScript only; the example has no types in it.
      await Deno.copyFile("examples/quantize.ts", `${FOLDER}/example.mjs`);
      await node("example.mjs");
    });
    const byNode = await Deno.readFile(`${FOLDER}/m-int8.onnx`);
    await Deno.remove(`${FOLDER}/m-int8.onnx`);
    const outside = `${FOLDER}/deno-user`;
    await Deno.mkdir(outside);
    await Deno.writeTextFile(
      `${outside}/deno.json`,
      JSON.stringify({
        links: [Deno.cwd()],
        imports: { plimsoll: "jsr:@plimsoll/plimsoll@^0.1.0" },
      }),
    );
    await Deno.copyFile("examples/quantize.ts", `${outside}/example.ts`);
    await run(Deno.execPath(), [
      ...["run", "-A", "--quiet", "--config", "deno-user/deno.json", "deno-user/example.ts"],
    ], { cwd: FOLDER });
    assert.deepEqual(await Deno.readFile(`${FOLDER}/m-int8.onnx`), byNode);
  },
);

Deno.test(
  "--runtime native says what to install, and then differs in last bits only",
  options,
  async () => {
    const args = ["plimsoll", "calibrate", "--samples", "64", "--runtime", "native"];
    const refused = await new Deno.Command("npx", { args, cwd: FOLDER }).output();
    assert.equal(refused.code, 2);
    assert.match(
      new TextDecoder().decode(refused.stderr),
      /wanted it installed beside plimsoll.*ONNXRUNTIME_NODE_INSTALL=skip npm install onnxruntime-node@1.30.0/,
    );
    await npmInstall("onnxruntime-node@1.30.0");
    await plimsoll(...args.slice(1), "--out", "native.plim", "--quiet");
    await plimsoll(...args.slice(1), "--workers", "2", "--out", "native2.plim", "--quiet");
    const native = await Deno.readFile(`${FOLDER}/native.plim`);
    assert.deepEqual(await Deno.readFile(`${FOLDER}/native2.plim`), native);
    const wasm = await readPlim(await Deno.readFile(`${FOLDER}/deno/statistics.plim`), "wasm");
    const found = await readPlim(native, "native");
    assert.deepEqual(found.data, wasm.data);
    assert.deepEqual(
      found.tensors.map(({ tensor }) => tensor),
      wasm.tensors.map(({ tensor }) => tensor),
    );
    found.tensors.forEach(({ tensor: name, histogram }, i) => {
      const other = wasm.tensors[i].histogram;
      assert.equal(histogram.finite, other.finite, name);
      assert.ok(Math.abs(histogram.max - other.max) <= 1e-5 * Math.abs(other.max), name);
    });
    // What the thresholds are chosen from is so close that the choice is the same.
    for (const which of ["deno/statistics", "native"]) {
      await plimsoll("search", "--statistics", `${which}.plim`, "--out", `${which}.json`);
    }
    const read = async (name: string) =>
      JSON.parse(await Deno.readTextFile(`${FOLDER}/${name}.json`)).activations.map((
        { tensor, threshold }: { tensor: string; threshold: number },
      ) => [tensor, threshold]);
    assert.deepEqual(await read("native"), await read("deno/statistics"));
  },
);
