import assert from "node:assert/strict";
import * as mod from "../../wasm/mod.ts";
import { histogramBinary } from "../../wasm/instance.ts";

Deno.test("createHistogramCore() picks SIMD where the engine has it", async () => {
  assert.equal((await mod.createHistogramCore()).name, "simd");
});

Deno.test("createHistogramCore() picks the scalar build where the engine has no SIMD", async () => {
  const { validate } = WebAssembly;
  try {
    WebAssembly.validate = () => false;
    assert.equal((await mod.createHistogramCore()).name, "scalar");
  } finally {
    WebAssembly.validate = validate;
  }
});

Deno.test("createHistogramCore() takes a compiled module and compiles nothing", async () => {
  const module = await WebAssembly.compile(histogramBinary(false));
  const { compile, validate } = WebAssembly;
  try {
    WebAssembly.compile = () => Promise.reject(new Error("this host compiles nothing"));
    WebAssembly.validate = () => {
      throw new Error("this host validates nothing");
    };
    const core = await mod.createHistogramCore({ module });
    assert.equal(core.name, "scalar");
    const accumulator = core.create();
    accumulator.observe(Float32Array.of(1, 2));
    assert.equal(accumulator.data().max, 2);
  } finally {
    Object.assign(WebAssembly, { compile, validate });
  }
});

Deno.test("createHistogramCore() refuses options that contradict each other", async () => {
  const module = await WebAssembly.compile(histogramBinary(false));
  await assert.rejects(
    () => mod.createHistogramCore({ module, simd: true }),
    /^TypeError: Cannot create the histogram core: wanted simd true, found a module with simd false/,
  );
});

Deno.test("the builds import nothing from their host", async () => {
  for (const simd of [true, false]) {
    const module = await WebAssembly.compile(histogramBinary(simd));
    assert.deepEqual(WebAssembly.Module.imports(module), []);
  }
});

Deno.test("wasm/mod.ts exports what it did", () => {
  assert.deepEqual(Object.keys(mod).sort(), [
    "BINS_PER_OCTAVE",
    "BINS_PER_SIGN",
    "BIN_COUNT",
    "BIN_WIDTH_ULPS",
    "binBase",
    "binLowerEdge",
    "binNumber",
    "binSign",
    "binUlpExponent",
    "binUpperEdge",
    "checkHistogramData",
    "createDirectErrorsCore",
    "createHistogramCore",
    "createNaiveDirectErrorsCore",
    "createNaiveHistogramCore",
    "createRunSums",
    "emptyHistogram",
    "isFiniteBin",
    "sumRuns",
    "supplyWasm",
  ]);
});

Deno.test("what ships of wasm/ names no runtime", async () => {
  const folder = new URL("../../wasm/", import.meta.url);
  for await (const { name, isFile } of Deno.readDir(folder)) {
    if (!isFile || !name.endsWith(".ts") || name === "build.ts") continue;
    const text = await Deno.readTextFile(new URL(name, folder));
    const code = text.split("\n").filter((line) => !/^\s*(\*|\/\*|\/\/)/.test(line)).join("\n");
    assert.doesNotMatch(code, /\bDeno\.|\bprocess\.|from "node:|from "npm:/, `wasm/${name}`);
  }
});
