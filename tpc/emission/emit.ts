/**
 * Emission: prepared float model × manifest → quantized QDQ model.
 *
 * @module
 */
import { applyEdits, checkOpset } from "./apply_edits.ts";
import { guardModel } from "./guards/guard.ts";
import { insertQdq, type WeightCodes } from "./insert_qdq.ts";
import type { Manifest } from "../manifest.ts";
import type { Model } from "../../onnx/file/model.ts";

/**
 * Makes the quantized model. `model` stays as it was and may be emitted again.
 *
 * @param codes Codes of weights that aren't the nearest ones; see `roundWeights`.
 * @param manifest With weight steps; see `decideWeights`.
 * @throws {PlimsollError} kind `model` when model and manifest don't belong together.
 */
export function emitModel(model: Model, manifest: Manifest, codes?: WeightCodes): Model {
  return guardModel(applyEdits(model, insertQdq(manifest, codes)));
}

/**
 * Finds out before any work whether a model can be emitted.
 *
 * @throws {PlimsollError} kind `model` for an old opset.
 */
export function checkEmittable(model: Model): void {
  checkOpset(model);
}
