/** The demo model and its images, as samples. */
import { mapStream } from "../../core/map_stream.ts";
import type { RawSample, Sample, Tensor } from "../../core/tensor.ts";
import { denoHost } from "../../apps/hosts/deno.ts";
import type { FloatModel } from "../../pipeline/quantize/float_model.ts";
import { loadFloatModel } from "../../pipeline/quantize/quantize.ts";
import { openSamples } from "../../pipeline/source/open_samples.ts";
import { preprocessor } from "../../pipeline/source/preprocess.ts";
import { parsePreprocessing } from "../../tpc/recipe/preprocessing.ts";

export const DEMO_MODEL = "data/fashion/model.onnx";
export const CALIBRATION = "data/fashion/calibration-images-idx3-ubyte.gz";
export const EVALUATION = "data/fashion/evaluation-images-idx3-ubyte.gz";

/** The demo's float model. */
export async function demoModel(): Promise<FloatModel> {
  return await loadFloatModel(await Deno.readFile(DEMO_MODEL), DEMO_MODEL);
}

/** The first `count` samples of one of the demo's files. */
export async function demoSamples(
  count: number,
  path = CALIBRATION,
): Promise<ReadableStream<Sample<Tensor>>> {
  const options = JSON.parse(await Deno.readTextFile("data/fashion/preprocess.json"));
  const preprocess = preprocessor(parsePreprocessing(options, "preprocess.json"));
  const { samples } = await openSamples(denoHost, path, { limit: count });
  return samples.pipeThrough(mapStream((raw: RawSample) => preprocess(raw) as Sample<Tensor>));
}
