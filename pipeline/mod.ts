/**
 * Plimsoll as a library: find the threshold of every activation tensor of a float ONNX model from calibration samples,
 * and write a quantized QDQ model. What experts need lies under `/search`, `/statistics`, `/onnx` and `/targets`.
 *
 * @module
 */
export { canonicalJson } from "../core/canonical_json.ts";
export { type ErrorKind, type ErrorParts, PlimsollError } from "../core/errors.ts";
export type { Reader } from "../core/host.ts";
export type { Progress } from "../core/progress.ts";
export type { InputTensor, Sample, SampleInput } from "../core/tensor.ts";
export { type Manifest, parseManifest } from "../tpc/manifest.ts";
export type { Preprocessing } from "../tpc/recipe/preprocessing.ts";
export { parseRecipe, type Recipe } from "../tpc/recipe/recipe.ts";
export { TARGET_NAMES } from "../tpc/targets/read_target.ts";
export type { Target } from "../tpc/targets/target.ts";
export type { Runtime, RuntimeSource } from "./inference/runtime.ts";
export { createRuntime } from "./inference/session.ts";
export type { FloatModel, LoadOptions } from "./quantize/float_model.ts";
export {
  loadFloatModel,
  type NamedRecipe,
  type Pass,
  type Quantization,
  quantize,
  quantizeAll,
  type QuantizeEvent,
  type RunOptions,
} from "./quantize/quantize.ts";
export {
  type GivenSample,
  type OpenedSamples,
  type SampleOpener,
  type Samples,
} from "./source/samples.ts";
export { reportPage } from "./report/page/render.ts";
export type { PlacedSamples, SamplePlace, SamplePlaceOptions } from "./source/sample_opener.ts";
