/** The command line as its user sees it: exit codes, messages, files. */
import assert from "node:assert/strict";
import { runCli } from "../../../apps/cli/run.ts";
import { denoHost } from "../../../apps/hosts/deno.ts";
import { writeModel } from "../../../onnx/file/model.ts";
import { makeTensor } from "../../../onnx/file/tensor.ts";
import { inFolder, runCommand } from "../../support/cli.ts";
import { CALIBRATION, DEMO_MODEL, EVALUATION } from "../../support/demo.ts";
import { model, node, value } from "../../support/onnx.ts";

const run = (args: string[]) => runCommand(...args);
const names = (folder: string) => Array.from(Deno.readDirSync(folder), ({ name }) => name).sort();

Deno.test("quantize writes its files and prints the accuracy of float, mse and noclipping", () =>
  inFolder(async (folder) => {
    // The demo's evaluation set is large; a small one of the same kind is made from the calibration set.
    const result = await run([
      "quantize",
      "--samples",
      "24",
      "--out",
      `${folder}/new/out`,
      "--eval-data",
      CALIBRATION,
    ]);
    assert.equal(result.code, 0, result.error);
    assert.deepEqual(names(`${folder}/new/out`), [
      "evaluation.json",
      "manifest.json",
      "model.onnx",
      "report.html",
      "run.json",
      "statistics.plim",
      "verdict.json",
    ]);
    for (const word of ["float", "mse", "noclipping", "top-1", "Ankle boot"]) {
      assert.ok(result.out.includes(word), word);
    }
    const { models } = JSON.parse(Deno.readTextFileSync(`${folder}/new/out/evaluation.json`));
    assert.deepEqual(models.map(({ name }: { name: string }) => name), [
      "float",
      "mse",
      "noclipping",
    ]);
    assert.match(result.error, /calibrate +24\/24 +100 %/);
    assert.ok(!result.error.includes("\r"), "plain lines when not on a terminal");

    const manifest = Deno.readTextFileSync(`${folder}/new/out/manifest.json`);
    const statistics = `${folder}/new/out/statistics.plim`;
    const again = await run([
      "search",
      "--statistics",
      statistics,
      "--model",
      DEMO_MODEL,
      "--recipe",
      `${folder}/new/out/manifest.json`,
      "--out",
      `${folder}/m.json`,
    ]);
    assert.equal(again.code, 0, again.error);
    assert.equal(
      Deno.readTextFileSync(`${folder}/m.json`),
      manifest,
      "search decides what quantize did",
    );
    assert.equal(
      (await run(["search", "--statistics", statistics, "--out", `${folder}/n.json`])).code,
      0,
    );
    const emitted = await run([
      "emit",
      "--manifest",
      `${folder}/n.json`,
      "--out",
      `${folder}/n.onnx`,
    ]);
    assert.equal(emitted.code, 0, emitted.error);
    assert.deepEqual(
      Deno.readFileSync(`${folder}/n.onnx`),
      Deno.readFileSync(`${folder}/new/out/model.onnx`),
    );
    const compared = await run([
      "evaluate",
      DEMO_MODEL,
      `${folder}/n.onnx`,
      "--data",
      CALIBRATION,
      "--samples",
      "16",
      "--json",
    ]);
    assert.equal(JSON.parse(compared.out).models.length, 2, compared.error);
    for (const file of [statistics, `${folder}/m.json`, `${folder}/n.onnx`]) {
      const inspected = await run(["inspect", file]);
      assert.equal(inspected.code, 0, inspected.error);
      assert.ok(inspected.out.split("\n").length > 20);
    }
  }));

Deno.test("calibrate writes what quantize would, for any batch", () =>
  inFolder(async (folder) => {
    for (const batch of ["1", "5"]) {
      const { code, error } = await run([
        "calibrate",
        "--samples",
        "9",
        "--batch",
        batch,
        "--out",
        `${folder}/${batch}.plim`,
        "--quiet",
      ]);
      assert.deepEqual([code, error], [0, ""]);
    }
    assert.deepEqual(Deno.readFileSync(`${folder}/1.plim`), Deno.readFileSync(`${folder}/5.plim`));
  }));

for (
  const args of [[], ["quantize"], ["calibrate"], ["search"], ["emit"], ["evaluate"], ["inspect"]]
) {
  Deno.test(`plimsoll ${args.join(" ")} --help shows examples`, async () => {
    const { code, out } = await run([...args, "--help"]);
    assert.equal(code, 0);
    assert.match(out, /Examples:\n {2}deno task \w+/);
  });
}

for (
  const [args, message] of [
    [["quantise"], /unknown command 'quantise'/],
    [["quantize", "--bogus"], /unknown option '--bogus'/],
    [["quantize", "--out", ""], /Give a folder/],
    [["quantize", "--batch", "0"], /integer of at least 1/],
    [["quantize", "--bits", "17"], /Give 2 to 16/],
    [["quantize", "--weight-bits", "9"], /Give 2 to 8/],
    [["quantize", "--weight-error", "kl"], /Allowed choices are mse, mae, lp, noclipping/],
    [["quantize", "--error", "magic"], /Allowed choices are mse, noclipping, mae/],
    [["quantize", "--model", DEMO_MODEL], /no --data/],
    [["quantize", "--auto-by", "output"], /wanted --error auto with --auto-by output, found \w+/],
    [["quantize", "--auto-by", "loss"], /Allowed choices are error, output/],
    [
      ["quantize", "--error", "auto", "--auto-runs", "9"],
      /wanted --auto-by output with --auto-runs/,
    ],
    [
      ["quantize", "--error", "auto", "--auto-by", "output", "--exact"],
      /wanted --exact or --auto-by output, found both/,
    ],
    [
      ["quantize", "--error", "auto", "--auto-by", "output", "--on-nonfinite", "skip"],
      /wanted a second pass over samples that all count/,
    ],
    [
      ["quantize", "--weight-rounding", "gptq", "--on-nonfinite", "skip"],
      /wanted a second pass over samples that all count/,
    ],
    [
      ["quantize", "--model", DEMO_MODEL, "--data", "-", "--equalize", "yes"],
      /wanted samples that can be read more than once, found standard input/,
    ],
    [
      ["quantize", "--target", "nowhere"],
      /wanted a name \(default, imx500, .*qnnpack\) or a file, found "nowhere"/,
    ],
  ] as [string[], RegExp][]
) {
  Deno.test(`plimsoll ${args.join(" ")} is bad usage`, async () => {
    const { code, error } = await run(args);
    assert.equal(code, 2);
    assert.match(error, message);
  });
}

/** Models and data that can't work; each makes its files in `folder` and returns the arguments. */
const BAD: Record<string, { args: (folder: string) => string[]; message: RegExp }> = {
  "a missing model": {
    args: (f) => ["--model", `${f}/none.onnx`, "--data", CALIBRATION],
    message: /opening ".*none.onnx".*no such file/,
  },
  "a folder for a model": {
    args: (f) => ["--model", f, "--data", CALIBRATION],
    message: /opening ".*"/,
  },
  "a model that is no ONNX": {
    args: (f) => ["--model", put(f, "a.onnx", "not a model at all"), "--data", CALIBRATION],
    message: /reading model ".*a.onnx".*complete ONNX file/,
  },
  "a truncated model": {
    args: (
      f,
    ) => [
      "--model",
      put(f, "a.onnx", Deno.readFileSync(DEMO_MODEL).subarray(0, 200000)),
      "--data",
      CALIBRATION,
    ],
    message: /reading model ".*a.onnx".*end early/,
  },
  "a model without anything to quantize": {
    args: (f) => ["--model", put(f, "a.onnx", writeModel(unquantizable())), "--data", CALIBRATION],
    message:
      /wanted an operator that target default quantizes, found only Acos \(target default doesn't quantize Acos\)/,
  },
  "a model whose weights are an input": {
    args: (f) => ["--model", put(f, "a.onnx", writeModel(twoInputs())), "--data", CALIBRATION],
    message: /found only Conv \(its weights are not constant float32\)/,
  },
  "a model that makes NaN": {
    args: (f) => ["--model", put(f, "a.onnx", writeModel(makesNaN())), "--data", CALIBRATION],
    message: /observing tensor "root".*found NaN from sample ".*calibration-images.*#0"/,
  },
  "an opset that can't be upgraded": {
    args: (
      f,
    ) => ["--model", put(f, "a.onnx", writeModel(makesNaN("Abs", 6))), "--data", CALIBRATION],
    message: /upgrading the model to opset 13.*wanted opset 7 or newer, found opset 6/,
  },
  "an operator that the runtime doesn't know": {
    args: (
      f,
    ) => ["--model", put(f, "a.onnx", writeModel(makesNaN("Frobnicate"))), "--data", CALIBRATION],
    message: /loading the float model into onnxruntime-web.*Frobnicate/s,
  },
  "missing data": {
    args: (f) => ["--model", DEMO_MODEL, "--data", `${f}/none-idx3`],
    message: /opening ".*none-idx3".*no such file/,
  },
  "empty data": {
    args: (f) => ["--model", DEMO_MODEL, "--data", put(f, "a-idx3", "")],
    message: /opening ".*a-idx3".*an empty file/,
  },
  "data of another kind": {
    args: (
      f,
    ) => ["--model", DEMO_MODEL, "--data", put(f, "a.jpg", Uint8Array.of(0xff, 0xd8, 0xff, 0xe0))],
    message: /opening ".*a.jpg".*wanted a data set: a folder, or .*found an image/,
  },
  "data of another shape": {
    args: (f) => ["--model", DEMO_MODEL, "--data", put(f, "a-idx3", idx(3, 14, 14))],
    message: /wanted shape \[any, 1, 28, 28\] for input "image", found \[3, 1, 14, 14\]/,
  },
  "data cut off": {
    args: (
      f,
    ) => ["--model", DEMO_MODEL, "--data", put(f, "a-idx3", idx(30, 28, 28).subarray(0, 9000))],
    message: /wanted 30 samples.*found the end of the file after 11/,
  },
  "more bits than the target allows": {
    args: () => [
      ...["--model", DEMO_MODEL, "--data", CALIBRATION, "--target", "imx500"],
      ...["--override", '{"match": {"operator": "Conv"}, "weight": {"bits": 5}}'],
    ],
    message: /wanted weight\.bits to be one of 2, 4, 8, found 5/,
  },
  "an override that fits nothing": {
    args: () => [
      ...["--model", DEMO_MODEL, "--data", CALIBRATION],
      ...["--override", '{"match": {"node": "nobody*"}, "quantize": false}'],
    ],
    message: /a tensor or node that each of them fits, found none for node nobody\*/,
  },
  "missing evaluation data": {
    args: (f) => ["--model", DEMO_MODEL, "--data", CALIBRATION, "--eval-data", `${f}/none-idx3`],
    message: /opening ".*none-idx3".*no such file/,
  },
};

function put(folder: string, name: string, content: Uint8Array | string): string {
  Deno.writeFileSync(
    `${folder}/${name}`,
    typeof content === "string" ? new TextEncoder().encode(content) : content,
  );
  return `${folder}/${name}`;
}

function idx(count: number, height: number, width: number): Uint8Array {
  const file = new Uint8Array(16 + count * height * width);
  file.set([0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, height, 0, 0, 0, width]);
  return file;
}

const image = value("x", ["N", 1, 28, 28]);
const weights = makeTensor("w", [2, 1, 3, 3], new Float32Array(18).fill(0.5));
const unquantizable = () =>
  model({
    nodes: [node("Acos", ["x"], ["y"])],
    inputs: [image],
    outputs: [value("y", ["N", 1, 28, 28])],
  });
const twoInputs = () =>
  model({
    nodes: [node("Conv", ["x", "w"], ["y"])],
    inputs: [image, value("w", [2, 1, 3, 3])],
    outputs: [value("y", ["N", 2, 26, 26])],
  });
const makesNaN = (op = "Sqrt", opset = 17) =>
  model({
    nodes: [node(op, ["x"], ["root"]), node("Conv", ["root", "w"], ["y"])],
    inputs: [image],
    outputs: [value("y", ["N", 2, 26, 26])],
    initializers: [weights],
    opset,
  });

for (const [name, { args, message }] of Object.entries(BAD)) {
  Deno.test(`quantize refuses ${name} with one message and leaves nothing`, () =>
    inFolder(async (folder) => {
      const out = `${folder}/out`;
      const { code, out: printed, error } = await run([
        ...["quantize", "--samples", "40", "--quiet", "--out", out, ...args(folder)],
        // Sqrt of the background must be NaN, whatever the model.
        ...["--mean", "0.286", "--std", "0.353"],
      ]);
      assert.equal(code, 1, error);
      assert.match(error.trim(), /^plimsoll: While [^\n]*$/s);
      assert.match(error, message);
      assert.equal(printed, "");
      assert.ok(!names(folder).includes("out"), `left ${names(folder)}`);
      assert.deepEqual(names(folder).filter((file) => file.endsWith(".partial")), []);
    }));
}

Deno.test("quantize says before any work that the output can't be written", () =>
  inFolder(async (folder) => {
    const file = put(folder, "file", "");
    const { code, error } = await run(["quantize", "--out", `${file}/out`]);
    assert.equal(code, 1);
    assert.match(error, /writing ".*file\/out\/model.onnx": wanted a place that can be written/);
    assert.deepEqual(names(folder), ["file"]);
  }));

Deno.test("quantize keeps the old results when it fails", () =>
  inFolder(async (folder) => {
    put(folder, "model.onnx", "old");
    const bad = put(folder, "a-idx3", idx(30, 28, 28).subarray(0, 9000));
    assert.equal(
      (await run(["quantize", "--model", DEMO_MODEL, "--data", bad, "--out", folder])).code,
      1,
    );
    assert.equal(Deno.readTextFileSync(`${folder}/model.onnx`), "old");
    assert.deepEqual(names(folder), ["a-idx3", "model.onnx"]);
  }));

Deno.test("a quantize that is interrupted while it calibrates ends with 130 and writes nothing", () =>
  inFolder(async (folder) => {
    const controller = new AbortController();
    let error = "";
    const host = {
      ...denoHost,
      isTerminal: false,
      print: () => {},
      printError: (text: string) => {
        error += text;
      },
      openFile: (path: string) => {
        // Samples are on their way when the first image is read.
        if (path.includes("calibration-images")) controller.abort();
        return denoHost.openFile(path);
      },
    };
    const args = ["quantize", "--eval-data", EVALUATION, "--out", `${folder}/out`];
    assert.equal(await runCli(args, host, controller.signal), 130);
    assert.ok(controller.signal.aborted);
    assert.match(error, /Interrupted/);
    assert.deepEqual(names(folder), []);
  }));

for (
  const [name, content, message] of [
    [
      "statistics cut off",
      Uint8Array.of(0x89, 0x50, 0x4c, 0x49, 0x4d, 13, 10, 26, 1, 0),
      /only 10 bytes/,
    ],
    ["another file", "text", /another kind of file/],
  ] as [string, Uint8Array | string, RegExp][]
) {
  Deno.test(`search refuses ${name}`, () =>
    inFolder(async (folder) => {
      const { code, error } = await run([
        "search",
        "--statistics",
        put(folder, "s.plim", content),
        "--out",
        `${folder}/m.json`,
      ]);
      assert.equal(code, 1);
      assert.match(error, message);
      assert.deepEqual(names(folder), ["s.plim"]);
    }));
}

Deno.test("emit refuses a manifest of another model", () =>
  inFolder(async (folder) => {
    const statistics = `${folder}/s.plim`;
    await run(["calibrate", "--samples", "4", "--out", statistics]);
    await run(["search", "--statistics", statistics, "--out", `${folder}/m.json`]);
    const other = put(folder, "a.onnx", writeModel(makesNaN()));
    const { code, error } = await run([
      "emit",
      "--manifest",
      `${folder}/m.json`,
      "--model",
      other,
      "--out",
      `${folder}/o.onnx`,
    ]);
    assert.equal(code, 1);
    assert.match(error, /wanted the model with SHA-256/);
  }));

Deno.test("quantize --until-stable stops early and records when each threshold last moved", () =>
  inFolder(async (folder) => {
    const args = [
      "quantize",
      "--model",
      DEMO_MODEL,
      "--data",
      CALIBRATION,
      "--out",
      folder,
      "--batch",
      "4",
    ];
    const { code, error } = await run([...args, "--until-stable", "6", "--verify"]);
    assert.equal(code, 0, error);
    const { data } = JSON.parse(Deno.readTextFileSync(`${folder}/manifest.json`));
    const { samples, tensors } = JSON.parse(Deno.readTextFileSync(`${folder}/convergence.json`));
    assert.equal(samples, data.samples);
    assert.ok(samples >= 28 && samples < 1000, `${samples} samples`);
    const last = Math.max(
      ...tensors.map(({ lastChanged }: { lastChanged: number }) => lastChanged),
    );
    assert.equal(samples - last, 24, "six batches of four without a change");
    assert.match(error, /verified: 28 errors within their bounds, largest deviation \S+/);
  }));

Deno.test("search decides again for other methods, constraints and bits from the file alone", () =>
  inFolder(async (folder) => {
    const statistics = `${folder}/s.plim`;
    await run(["calibrate", "--samples", "16", "--out", statistics]);
    for (const error of ["kl", "mae", "lp", "octav", "percentile", "noclipping", "mse"]) {
      for (const constraint of ["pot", "symmetric", "uniform"]) {
        const out = `${folder}/${error}-${constraint}.json`;
        const found = await run([
          ...["search", "--statistics", statistics, "--error", error, "--constraint", constraint],
          ...["--bits", "4", "--out", out],
        ]);
        assert.equal(found.code, 0, found.error);
        const { activations } = JSON.parse(Deno.readTextFileSync(out));
        assert.equal(activations[0].method, error);
        assert.equal(activations[0].constraint, constraint);
        const emitted = await run(["emit", "--manifest", out, "--out", `${folder}/m.onnx`]);
        assert.equal(emitted.code, 0, emitted.error);
      }
    }
  }));

Deno.test("search and emit take the options of weights, with the steps searched by either", () =>
  inFolder(async (folder) => {
    const statistics = `${folder}/s.plim`;
    await run(["calibrate", "--samples", "16", "--out", statistics]);
    const wishes = {
      ...{ "weight-bits": "4", "weight-constraint": "uniform", "weight-granularity": "tensor" },
      ...{ "weight-error": "lp", "weight-lp-p": "3", "weight-clip": "yes" },
    };
    const options = Object.entries(wishes).flatMap(([name, value]) => [`--${name}`, value]);
    for (const model of [[], ["--model", DEMO_MODEL]]) {
      const out = `${folder}/m${model.length}`;
      const search = ["search", "--statistics", statistics, "--out", `${out}.json`];
      const found = await run([...search, ...options, ...model]);
      assert.equal(found.code, 0, found.error);
      const { weights } = JSON.parse(Deno.readTextFileSync(`${out}.json`));
      const { bits, constraint, granularity, method, lpP, clip, reason, steps } = weights[0];
      assert.deepEqual(
        [bits, constraint, granularity, method, lpP, clip],
        [4, "uniform", "tensor", "lp", 3, true],
      );
      assert.match(reason[1], /affine grid of least \|error\|\^3, clipping allowed, one for/);
      assert.equal(steps?.scales.length, model.length === 0 ? undefined : 1);
      const emit = ["emit", "--manifest", `${out}.json`, "--out", `${out}.onnx`];
      const emitted = await run([...emit, ...model]);
      assert.equal(emitted.code, 0, emitted.error);
    }
    assert.deepEqual(
      Deno.readFileSync(`${folder}/m0.onnx`),
      Deno.readFileSync(`${folder}/m2.onnx`),
    );
  }));

Deno.test("main.ts runs with no more permissions than the tasks give it", () =>
  inFolder(async (folder) => {
    const { tasks } = JSON.parse(Deno.readTextFileSync("deno.json"));
    const args = [
      ...tasks.quantize.command.split(" ").slice(1),
      "--samples",
      "8",
      "--eval-data",
      CALIBRATION,
      "--out",
      folder,
      "--json",
    ];
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
    assert.ok(success, new TextDecoder().decode(stderr));
    assert.equal(JSON.parse(new TextDecoder().decode(stdout)).evaluation.length, 3);
  }));
