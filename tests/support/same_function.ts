/** Checks a rewrite that is given as a function: same numbers, same names, the given model untouched. */
import assert from "node:assert/strict";
import { type Model, writeModel } from "../../onnx/file/model.ts";
import { randomFeeds } from "./rewrite.ts";
import { assertSameOutputs } from "./run_model.ts";

/**
 * Runs a rewrite and asserts that `before` stays as it was, that inputs and outputs keep their names, that
 * every tensor which was there is there still, and that both models agree on random inputs within
 * `tolerance` of the largest magnitude. Returns what the rewrite returned.
 */
export async function assertSameFunction<Result extends { model: Model }>(
  before: Model,
  rewrite: (model: Model) => Result,
  { tolerance = 1e-5, feeds = randomFeeds(before) }: {
    tolerance?: number;
    feeds?: ReturnType<typeof randomFeeds>;
  } = {},
): Promise<Result> {
  const bytes = writeModel(before);
  const result = rewrite(before);
  assert.deepEqual(writeModel(before), bytes, "the model that was given stays as it was");
  const [old, now] = [before.graph, result.model.graph];
  assert.deepEqual(now.input, old.input);
  assert.deepEqual(now.output, old.output);
  const made = new Set(now.node.flatMap(({ output }) => output));
  for (const { output } of old.node) {
    for (const name of output) assert.ok(made.has(name), `${name} is gone`);
  }
  await assertSameOutputs(before, result.model, feeds, tolerance);
  return result;
}
