/** Runs models in onnxruntime-web and compares them. */
import assert from "node:assert/strict";
import { createSession } from "../../pipeline/inference/default_runtime.ts";
import type { Tensor } from "../../core/tensor.ts";
import type { Model } from "../../onnx/file/model.ts";

/** All outputs of a model for some inputs. */
export async function runModel(
  model: Model,
  feeds: Record<string, Tensor>,
): Promise<Map<string, Tensor>> {
  await using session = await createSession(model, { name: "the test model" });
  return await session.run(new Map(Object.entries(feeds)), session.outputs);
}

/** Asserts that two models give the same outputs within `tolerance` of the largest magnitude. */
export async function assertSameOutputs(
  a: Model,
  b: Model,
  feeds: Record<string, Tensor>,
  tolerance = 1e-5,
): Promise<void> {
  const [x, y] = [await runModel(a, feeds), await runModel(b, feeds)];
  assert.deepEqual([...y.keys()], [...x.keys()]);
  assertSameTensors(x, y, tolerance);
}

/** Asserts that `actual` has the tensors of `expected`, within `tolerance` of the largest magnitude. */
export function assertSameTensors(
  expected: ReadonlyMap<string, Tensor>,
  actual: ReadonlyMap<string, Tensor>,
  tolerance = 1e-5,
): void {
  for (const [name, { data, dims }] of expected) {
    const other = actual.get(name)!;
    assert.deepEqual(other.dims, dims);
    const scale = data.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
    assert.ok(scale > 0, `${name} is all zero: the comparison would prove nothing`);
    data.forEach((value, i) => {
      const difference = Math.abs(value - other.data[i]);
      assert.ok(difference <= tolerance * scale, `${name}[${i}]: ${value} and ${other.data[i]}`);
    });
  }
}
