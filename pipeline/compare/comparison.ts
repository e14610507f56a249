/**
 * What a comparison found, as plain JSON: nothing in it depends on the machine but `latency`, which files leave out.
 *
 * @module
 */
import type { ModelEvaluation } from "../evaluate/evaluate.ts";
import type { HitList } from "../evaluate/hit_list.ts";
import { type PairedDifference, pairedDifference } from "../evaluate/paired.ts";

/** One model of the comparison. */
export interface ComparedModel {
  readonly evaluation: ModelEvaluation;
  /** Bytes of the ONNX file, with those of weights beside it. */
  readonly bytes: number;
  /** Its top-1 against that of the float model; null for that one, and without labels. */
  readonly againstFloat: PairedDifference | null;
}

/** The variant with the highest top-1 (of equal ones that with the least loss), and the others against it. */
export interface BestVariant {
  readonly name: string;
  /** In the order of the comparison; `difference` is that of the other one minus the best one's. */
  readonly others: readonly { readonly name: string; readonly againstBest: PairedDifference }[];
}

/** A comparison. */
export interface Comparison {
  /** The float model first. */
  readonly models: readonly ComparedModel[];
  /** Null without labels. */
  readonly best: BestVariant | null;
}

/** What was measured of one model. */
export interface Measured {
  readonly evaluation: ModelEvaluation;
  readonly hits: HitList;
  readonly bytes: number;
}

/** Compares models in pairs: each with the float model, which comes first, and with the best variant. */
export function compareModels(measured: readonly Measured[]): Comparison {
  const [float, ...variants] = measured;
  const isLabelled = float.hits.length > 0;
  const models = measured.map(({ evaluation, bytes, hits }, i) => ({
    evaluation,
    bytes,
    againstFloat: i > 0 && isLabelled ? pairedDifference(float.hits.compare(hits)) : null,
  }));
  if (!isLabelled || variants.length === 0) return { models, best: null };
  const best = variants.reduce((a, b) => isBetter(b.evaluation, a.evaluation) ? b : a);
  const others = variants.filter((variant) => variant !== best).map(({ evaluation, hits }) => ({
    name: evaluation.name,
    againstBest: pairedDifference(best.hits.compare(hits)),
  }));
  return { models, best: { name: best.evaluation.name, others } };
}

function isBetter(a: ModelEvaluation, b: ModelEvaluation): boolean {
  return a.top1! > b.top1! || a.top1 === b.top1 && (a.loss ?? Infinity) < (b.loss ?? Infinity);
}
