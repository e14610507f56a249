/** Batches and models that don't fit into the runtime's heap. */
import assert from "node:assert/strict";
import { isOutOfMemory, outOfMemoryRun } from "../../../pipeline/inference/out_of_memory.ts";

Deno.test("a runtime that broke is never used again: every later session says so", async () => {
  // In a process of its own, since there is one runtime in each.
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--lock=deno.lock", "-A", "--no-check", "tests/support/hosts/broken_runtime.ts"],
    env: { NO_COLOR: "1" },
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  const { first, second, health, problem } = JSON.parse(new TextDecoder().decode(stdout));
  assert.match(
    first,
    /no memory left for a batch of 4: 0.0156 KiB of input a sample and 1 watched tensors. Try option `batch: 2`/,
  );
  assert.match(second, /found one that ran out of memory before and answers no more. Start again/);
  assert.deepEqual(health, [503, "lost"]);
  assert.deepEqual(problem, [503, "urn:plimsoll:problem:lost"]);
});

Deno.test("isOutOfMemory() knows what runtimes and engines say", () => {
  for (
    const message of [
      "failed to call OrtRun(). ERROR_CODE: 6, ERROR_MESSAGE: std::bad_alloc",
      "Aborted(OOM). Build with -sASSERTIONS for more info.",
      "memory access out of bounds",
      "Array buffer allocation failed",
    ]
  ) assert.ok(isOutOfMemory(new Error(message)), message);
  assert.ok(isOutOfMemory(new RangeError("offset is out of bounds")));
  assert.ok(!isOutOfMemory(new Error("ERROR_CODE: 2, ERROR_MESSAGE: Got invalid dimensions")));
});

Deno.test("one sample that doesn't fit gets no batch to try", () => {
  const feeds = new Map([["x", { data: new Float32Array(2 ** 20), dims: [1, 2 ** 20] }]]);
  const { message } = outOfMemoryRun({ action: "running", feeds, watched: 3, cause: undefined });
  assert.match(message, /4 MiB of input a sample .*One sample is too large already/);
});
