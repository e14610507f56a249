/** A runtime is a value: importing the library and running models leaves the process as it was. */
import assert from "node:assert/strict";

/** Runs a script in a process of its own. */
async function script(code: string): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-check", "--ext=ts", code],
    env: { NO_COLOR: "1" },
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout).trim();
}

const root = new URL("../../../", import.meta.url).href;

Deno.test("importing the library and quantizing changes no setting of onnxruntime-web and no global", async () => {
  const out = await script(`
    import * as ort from "onnxruntime-web/wasm";
    const before = [ort.env.wasm.numThreads, ort.env.wasm.wasmBinary, console.log, WebAssembly.instantiate];
    const same = () => [ort.env.wasm.numThreads, ort.env.wasm.wasmBinary, console.log, WebAssembly.instantiate]
      .every((value, i) => value === before[i]);
    const { quantize } = await import("${root}apps/hosts/deno_library.ts");
    const imported = same();
    const samples = [1, 2].map((i) => ({ input: { data: new Float32Array(784).fill(i / 4), dims: [1, 28, 28] } }));
    await quantize(await Deno.readFile("data/fashion/model.onnx"), samples);
    console.log(imported, same());
  `);
  assert.equal(out, "true true");
});

Deno.test("a runtime that is given is the one that runs the model", async () => {
  const out = await script(`
    const { createRuntime, loadFloatModel, quantize } = await import("${root}apps/hosts/deno_library.ts");
    const runtime = createRuntime();
    let opened = 0;
    const counting = { name: runtime.name, runConstants: runtime.runConstants, lost: undefined,
      open: (model, options) => (opened++, runtime.open(model, options)) };
    const model = await Deno.readFile("data/fashion/model.onnx");
    const samples = [1, 2].map((i) => ({ input: { data: new Float32Array(784).fill(i / 4), dims: [1, 28, 28] } }));
    await quantize(model, samples, { target: "onnxruntime" }, { runtime: counting });
    console.log(opened > 0);
  `);
  assert.equal(out, "true");
});
