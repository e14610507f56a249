/** onnxruntime-node under Deno: taken where it is in the cache, told apart in statistics, never in the way. */
import assert from "node:assert/strict";
// Nothing of it is used: it has to be in the cache.
import "onnxruntime-node";
import { readPlim } from "../../../pipeline/statistics/plim.ts";
import { inFolder, RUN_WITH_FILES } from "../../support/cli.ts";

/** Runs a command as `deno task` does, with the permissions that it asks for. */
async function launch(...args: string[]): Promise<{ code: number; error: string }> {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--lock=deno.lock", "--no-prompt", "--allow-run", "--allow-read", "launch.ts"],
      ...args,
    ],
  }).output();
  return { code, error: new TextDecoder().decode(stderr) };
}

const calibrate = ["calibrate", "--samples", "64", "--quiet"];

Deno.test("what is installed runs models, in workers as well, and statistics say so", async () => {
  await inFolder(async (folder) => {
    const files = {
      auto: [],
      "auto of two": ["--workers", "2", "--batch", "3"],
      native: ["--runtime", "native", "--workers", "1"],
      wasm: ["--runtime", "wasm"],
    };
    const bytes: Record<string, Uint8Array> = {};
    for (const [name, options] of Object.entries(files)) {
      const { code, error } = await launch(...calibrate, ...options, "--out", `${folder}/${name}`);
      assert.equal(code, 0, error);
      bytes[name] = await Deno.readFile(`${folder}/${name}`);
    }
    assert.deepEqual(bytes["auto of two"], bytes.auto);
    assert.deepEqual(bytes.native, bytes.auto);
    const [native, wasm] = [await readPlim(bytes.auto, "auto"), await readPlim(bytes.wasm, "wasm")];
    assert.match(native.runtime!, /^onnxruntime-node \d+\.\d+\.\d+ \S+ \S+$/);
    assert.match(wasm.runtime!, /^onnxruntime-web \d+\.\d+\.\d+$/);
    assert.deepEqual(native.data, wasm.data);
    native.tensors.forEach(({ tensor, histogram }, i) => {
      const other = wasm.tensors[i].histogram;
      assert.equal(histogram.finite, other.finite, tensor);
      assert.ok(Math.abs(histogram.max - other.max) <= 1e-5 * Math.abs(other.max), tensor);
    });
    const merged = await launch(
      ...["merge", `${folder}/auto`, `${folder}/wasm`, "--out", `${folder}/both.plim`],
    );
    assert.equal(merged.code, 1);
    assert.match(merged.error, /the same runtime.*onnxruntime-node.*--runtime wasm/);
  });
});

Deno.test("auto keeps to onnxruntime-web where that does better", async () => {
  await inFolder(async (folder) => {
    const { code, error } = await launch(
      ...["quantize", "--samples", "24", "--target", "onnxruntime-web", "--out", `${folder}/web`],
      "--quiet",
    );
    assert.equal(code, 0, error);
    const { runtime } = await readPlim(await Deno.readFile(`${folder}/web/statistics.plim`), "s");
    assert.match(runtime!, /^onnxruntime-web/);
    const run = JSON.parse(await Deno.readTextFile(`${folder}/web/run.json`));
    assert.match(run.machine, /runtime wasm$/);
  });
});

Deno.test("without the permission native is refused in words, and auto goes on without it", async () => {
  await inFolder(async (folder) => {
    const run = async (...options: string[]) => {
      const { code, stderr } = await new Deno.Command(Deno.execPath(), {
        args: [
          ...RUN_WITH_FILES,
          ...["calibrate", "--samples", "8", "--out", `${folder}/s.plim`, ...options],
        ],
      }).output();
      return { code, error: new TextDecoder().decode(stderr) };
    };
    const refused = await run("--runtime", "native");
    assert.equal(refused.code, 2);
    assert.match(refused.error, /loading onnxruntime-node for --runtime native.*--allow-ffi=/);
    const auto = await run();
    assert.equal(auto.code, 0, auto.error);
    assert.match(auto.error, /note: models run in onnxruntime-web: .*--allow-ffi=/);
  });
});
