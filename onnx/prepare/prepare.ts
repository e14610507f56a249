/**
 * Graph preparation: the exact rewrites that come before quantization.
 *
 * @module
 */
import { foldAffineAfter } from "./fold_affine_after.ts";
import { foldAffineBefore } from "./fold_affine_before.ts";
import { type ConstantRunner, foldConstantNodes, foldConstantSubgraphs } from "./fold_constants.ts";
import { checkGraph } from "../file/check_graph.ts";
import { inlineFunctions } from "./inline_functions.ts";
import { foldPad } from "./fold_pad.ts";
import { type Model, withFields } from "../file/model.ts";
import { normaliseGemm } from "./normalise_gemm.ts";
import { productsOfLeftGemms } from "./left_gemm.ts";
import { raiseAffine } from "./raise_affine.ts";
import { removeNoOps } from "./remove_no_ops.ts";
import { upgradeOpset } from "./upgrade_opset.ts";

/**
 * Returns an equal model that is easier to quantize: of opset 13 or newer, local functions inlined, constants folded, nodes
 * that do nothing gone, padding in the layers that read it, BatchNormalization and its like in the
 * weights beside them. Inputs, outputs and surviving tensors keep their names; metadata and unknown
 * fields stay. `model` itself is not changed.
 *
 * @throws {PlimsollError} kind `model` when an old operator isn't known to mean the same in opset 13.
 * @param run Computes constant sub-graphs. Without it they stay in the graph.
 */
export async function prepareModel(model: Model, run?: ConstantRunner): Promise<Model> {
  let prepared = foldConstantNodes(inlineFunctions(declareConstants(model)));
  if (run !== undefined) prepared = await foldConstantSubgraphs(prepared, run);
  // Weights and paddings that nodes made are known only now.
  checkGraph(prepared);
  prepared = upgradeOpset(prepared);
  prepared = removeNoOps(prepared);
  prepared = foldPad(prepared);
  prepared = foldAffineAfter(raiseAffine(prepared));
  prepared = foldAffineBefore(prepared);
  return productsOfLeftGemms(normaliseGemm(prepared));
}

/**
 * Before IR version 4 every initializer had to be listed among the graph's inputs, which since then
 * means "the caller may override it". Such a model is lifted to version 4, where they are constants.
 */
function declareConstants(model: Model): Model {
  if (model.irVersion >= 4n) return model;
  const constants = new Set(model.graph.initializer.map(({ name }) => name));
  const input = model.graph.input.filter(({ name }) => !constants.has(name));
  return withFields<Model>(model, { irVersion: 4n, graph: withFields(model.graph, { input }) });
}
