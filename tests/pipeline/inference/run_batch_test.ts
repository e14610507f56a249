/** Batches of models that take samples one by one. */
import assert from "node:assert/strict";
import { PlimsollError } from "../../../core/errors.ts";
import { runBatch } from "../../../pipeline/inference/run_batch.ts";
import { createSession } from "../../../pipeline/inference/default_runtime.ts";
import type { InferenceSession } from "../../../pipeline/inference/runtime.ts";
import { makeTensor } from "../../../onnx/file/tensor.ts";
import { model, node, value } from "../../support/onnx.ts";

/** y = x + x through a Reshape that has 1 written into it where a batch stood. */
const written = model({
  nodes: [
    node("Flatten", ["x"], ["flat"]),
    node("Reshape", ["flat", "shape"], ["r"]),
    node("Add", ["r", "r"], ["y"]),
  ],
  inputs: [value("x", ["n", 2, 3])],
  outputs: [value("y", [1, 6])],
  initializers: [makeTensor("shape", [2], BigInt64Array.of(1n, 6n))],
});
const data = Float32Array.from({ length: 24 }, (_, i) => i);
const feeds = new Map([["x", { data, dims: [4, 2, 3] }]]);

Deno.test("a batch that the model can't take is run one by one, in order, and it is said once", async () => {
  await using session = await createSession(written, { name: "m" });
  const said: string[] = [];
  for (let i = 0; i < 2; i++) {
    const { dims, data: found } = (await runBatch(session, feeds, ["y"], 4, (text) =>
      said.push(text))).get("y")!;
    assert.deepEqual(dims, [4, 6]);
    assert.deepEqual(found, data.map((x) => 2 * x));
  }
  assert.equal(said.length, 1);
  assert.match(said[0], /one sample a run/);
});

/** A session that fails in some way. */
function failing(found: string): { session: InferenceSession; sizes: number[] } {
  const sizes: number[] = [];
  const session = {
    run: (inputs: typeof feeds) => {
      sizes.push(inputs.get("x")!.dims[0]);
      const parts = { action: "a", wanted: "b", found, remedy: "c" };
      return Promise.reject(new PlimsollError("runtime", parts));
    },
  };
  return { session: session as unknown as InferenceSession, sizes };
}

Deno.test("what single samples don't mend is thrown as the batch had it", async () => {
  const { session } = failing("something else");
  await assert.rejects(runBatch(session, feeds, ["y"], 4), /something else/);
});

Deno.test("memory that runs out is no reason to try again", async () => {
  const { session, sizes } = failing("out of memory");
  await assert.rejects(runBatch(session, feeds, ["y"], 4), /memory/);
  assert.deepEqual(sizes, [4]);
});
