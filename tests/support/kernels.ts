/** Which kernels onnxruntime-web runs for a model, on inputs that tests don't care about. */
import { exampleFeeds } from "../../pipeline/inference/example_feeds.ts";
import { profileKernels as profile } from "../../pipeline/inference/profile.ts";
import { readModel } from "../../onnx/file/model.ts";

/** Runs a model once and returns the operators that ran, with the names of their nodes. */
export async function profileKernels(
  file: Uint8Array,
  shapes: Record<string, number[]>,
): Promise<{ op: string; node: string }[]> {
  const model = readModel(file, "the test model");
  const feeds = exampleFeeds(model, new Map(Object.entries(shapes)));
  const kernels = await profile(model, feeds, "the test model");
  return kernels.map(({ kernel: op, node }) => ({ op, node }));
}
