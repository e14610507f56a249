/**
 * Targets, recipes and emission, for experts: what the hardware can do, what is wished, and the model that follows.
 *
 * @module
 */
export type { OptionWording } from "../core/option_words.ts";
export { emitModel } from "./emission/emit.ts";
export type { WeightCodes } from "./emission/insert_qdq.ts";
export {
  parsePreprocessing,
  PREPROCESSING_NAMES,
  presetPreprocessing,
} from "./recipe/preprocessing.ts";
export { applyWishes, type ResolvedRecipe, resolveRecipe } from "./recipe/recipe.ts";
export type { FurtherPass, Wish, WishForm } from "./recipe/wish.ts";
export { furtherPasses, WISHES, type Wishes, type WishKey } from "./recipe/wishes.ts";
export type { MctImport } from "./targets/import_mct.ts";
export { parseTarget, presetTarget, readTarget } from "./targets/read_target.ts";
export { rewritesFor } from "./targets/rewrites_for.ts";
export type { Override } from "./targets/target.ts";
