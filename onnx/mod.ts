/**
 * ONNX files and graphs, for experts: read, write, outline, rewrite. Knows no target.
 *
 * @module
 */
export { type Model, readModel, writeModel } from "./file/model.ts";
export type { AttributeValue } from "./graph/node.ts";
export {
  type ElementType,
  type GraphOutline,
  type OutlineConstant,
  outlineGraph,
  type OutlineNode,
  type OutlineValue,
} from "./graph/outline.ts";
export type { ConstantRunner } from "./prepare/fold_constants.ts";
export { applyRewrites, type Rewrites } from "./rewrites/rewrites.ts";
