/** Checks a rewrite: what is left of the graph, and that it gives the same numbers. */
import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import { ValueInfoProtoSchema } from "../../onnx/file/onnx_pb.ts";
import { runConstants } from "../../pipeline/inference/default_runtime.ts";
import { type Model, withFields } from "../../onnx/file/model.ts";
import { prepareModel } from "../../onnx/prepare/prepare.ts";
import { makeTensor } from "../../onnx/file/tensor.ts";
import { floats, gaussian } from "./random.ts";
import { assertSameTensors, runModel } from "./run_model.ts";

const normal = gaussian(41);

/** A float32 initializer of normal numbers. */
export function weights(name: string, ...dims: number[]) {
  return makeTensor(name, dims, floats(dims.reduce((a, b) => a * b, 1), normal));
}

/** An int64 initializer. */
export function integers(name: string, values: readonly number[]) {
  return makeTensor(name, [values.length], BigInt64Array.from(values, BigInt));
}

/** A float32 scalar. */
export function scalar(name: string, value: number) {
  return makeTensor(name, [], Float32Array.of(value));
}

/** Normal numbers for each input of a model, symbolic dimensions being 2. */
export function randomFeeds(model: Model) {
  return Object.fromEntries(model.graph.input.map(({ name, type }) => {
    const shape = type?.value.case === "tensorType" ? type.value.value.shape?.dim ?? [] : [];
    const dims = shape.map(({ value }) => value.case === "dimValue" ? Number(value.value) : 2);
    return [name, { data: floats(dims.reduce((a, b) => a * b, 1), normal), dims }];
  }));
}

/** Operator types of a model in the order of its nodes. */
export function operators({ graph }: Model): string[] {
  return graph.node.map(({ opType }) => opType);
}

/**
 * Prepares a model, asserts that exactly these operators are left, and that original and result agree
 * on random inputs. Returns the result.
 *
 * @param options.watch Tensors that the runtime must compute in the original: it fuses some patterns
 * itself, and a comparison with its fusion would prove nothing.
 */
export async function assertRewrite(
  before: Model,
  left: readonly string[],
  options: { tolerance?: number; watch?: readonly string[] } = {},
): Promise<Model> {
  const original = operators(before);
  const after = await prepareModel(before, runConstants);
  assert.deepEqual(operators(after), left);
  assert.deepEqual(operators(before), original, "the input stays as it was");
  const feeds = randomFeeds(before);
  const watched = (options.watch ?? []).map((name) => create(ValueInfoProtoSchema, { name }));
  const output = [...before.graph.output, ...watched];
  const exposed = withFields<Model>(before, { graph: withFields(before.graph, { output }) });
  const [expected, actual] = [await runModel(exposed, feeds), await runModel(after, feeds)];
  for (const name of options.watch ?? []) expected.delete(name);
  assert.deepEqual([...actual.keys()], [...expected.keys()]);
  assertSameTensors(expected, actual, options.tolerance);
  return after;
}
