/**
 * Manifest, statistics and evaluation → what the page shows. Pure function.
 *
 * @module
 */
import { canonicalJson, compactJson } from "../../../core/canonical_json.ts";
import { weightCodes } from "../../../core/grid.ts";
import { optionName } from "../../../core/option_words.ts";
import type { Manifest, ManifestActivation, ManifestWeight } from "../../../tpc/manifest.ts";
import { resolve } from "../../../tpc/placement/resolve.ts";
import { type Recipe, resolveRecipe } from "../../../tpc/recipe/recipe.ts";
import { wishText } from "../../../tpc/recipe/wish.ts";
import { WISH_ENTRIES } from "../../../tpc/recipe/wishes.ts";
import type { HistogramData } from "../../../wasm/mod.ts";
import type { DiagnosedTensor, Diagnosis } from "../../diagnose/diagnosis.ts";
import type { ModelEvaluation } from "../../evaluate/evaluate.ts";
import type { PairedDifference } from "../../evaluate/paired.ts";
import { SHOWN_METHODS } from "../../search/methods/methods.ts";
import type { Plan } from "../../plan/plan.ts";
import type { Verdict } from "../../verdict/verdict.ts";
import { gridStatistics } from "../../search/grid_statistics.ts";
import type { Statistics } from "../../statistics/statistics.ts";
import { cellCounts } from "../cells.ts";
import type {
  Accuracy,
  AccuracyRow,
  Distribution,
  HowItWasMade,
  Measured,
  ReportActivation,
  ReportData,
  ReportDiagnosis,
  ReportWeight,
  RunDescription,
} from "./data.ts";
import { methodResults, type MethodSettings, rangeOf } from "./methods.ts";
import { type Neighbours, neighbours } from "./neighbours.ts";
import { drawn, drawnOrNull } from "./rounded.ts";
import { suspects } from "./suspects.ts";

/** Cells of a distribution. */
const CELLS = 192;

/** What a report is made of. */
export interface ReportInput {
  /** What the model is called. */
  readonly title: string;
  /** The decisions that are drawn. */
  readonly manifest: Manifest;
  /** The statistics that the manifest was decided from. */
  readonly statistics: Statistics;
  /** Models that were compared, the float one first. */
  readonly evaluation?: readonly EvaluatedModel[];
  /** What comparing the models layer by layer found. */
  readonly diagnosis?: Diagnosis;
  /** Whether the model still does what the float model does. */
  readonly verdict?: Verdict;
  /** How its units were planned. */
  readonly plan?: Plan;
  /** Paths and times of the run that made them, for who wants to repeat it. */
  readonly run?: RunDescription;
}

/** A model of the accuracy table: an evaluation, with what a comparison adds. */
export interface EvaluatedModel {
  /** Its accuracy, and how far it is from the float model. */
  readonly evaluation: ModelEvaluation;
  /** Its size. */
  readonly bytes?: number;
  /** Its top-1 against that of the float model. */
  readonly againstFloat?: PairedDifference | null;
}

/**
 * Collects what the report page shows: distributions, what every error method would choose, where tensors stand in the
 * graph, suspects, accuracy.
 */
export function collectReport(
  { title, manifest, statistics, evaluation, diagnosis, verdict, plan, run }: ReportInput,
): ReportData {
  const activations = reportActivations(manifest, statistics, diagnosis);
  const weights = manifest.weights.map(reportWeight);
  return {
    title,
    made: howItWasMade(manifest, run),
    verdict: verdict ?? null,
    accuracy: evaluation === undefined || evaluation.length === 0 ? null : accuracy(evaluation),
    activations,
    weights,
    float: manifest.float.map(({ node, op, reason }) => ({ node, op, reason })),
    shownMethods: SHOWN_METHODS,
    suspects: suspects(activations, weights, diagnosis?.losses),
    diagnosis: diagnosis === undefined ? null : reportDiagnosis(diagnosis),
    // Its costs are in the file, and much of the page's size here.
    plan: plan === undefined ? null : { ...plan, costs: null },
  };
}

function reportActivations(
  manifest: Manifest,
  statistics: Statistics,
  diagnosis: Diagnosis | undefined,
): ReportActivation[] {
  const { activations, weights } = manifest;
  const around = neighbours(statistics.outline, activations.map(({ tensor }) => tensor));
  const grids = gridStatistics(statistics.tensors, activations);
  const measured = new Map(diagnosis?.tensors.map((entry) => [entry.tensor, entry]));
  const indexOf = new Map(activations.map(({ tensor }, i) => [tensor, i]));
  const settings = methodSettings(manifest, statistics);
  return activations.map((activation, i) => {
    const histogram = grids.get(activation.tensor)?.statistics.histogram;
    const readBy = weights.flatMap((weight, w) =>
      weight.activation === activation.tensor ? [w] : []
    );
    return {
      ...reportActivation(activation, around[i]),
      weights: readBy,
      ...(activation.sameAs === undefined ? {} : { sameAs: indexOf.get(activation.sameAs) }),
      ...(histogram === undefined || histogram.finite === 0
        ? {}
        : { seen: distribution(activation, histogram, settings.get(activation.tensor) ?? {}) }),
      ...measuredOf(measured.get(activation.tensor)),
    };
  });
}

/** What the methods of each tensor were searched with: recipe and outline place the same quantizers again. */
function methodSettings(
  { recipe }: Manifest,
  { outline }: Statistics,
): Map<string, MethodSettings> {
  if (recipe === undefined) return new Map();
  const { activations } = resolve(outline, resolveRecipe(recipe as Recipe).target);
  return new Map(activations.map(({ tensor, spec }) => [tensor, spec]));
}

function reportActivation(activation: ManifestActivation, { from, to, readers }: Neighbours) {
  const { tensor, producer, fused, shape, bits, signed, constraint, method } = activation;
  return {
    tensor,
    fused,
    shape,
    from,
    to,
    bits,
    signed,
    constraint,
    method,
    op: producer?.op ?? "input",
    node: producer?.node ?? "",
    readers: readers.map(({ op, name }) => `${op} ${name}`),
    threshold: drawn(activation.threshold),
    scale: activation.scale,
    zeroPoint: activation.zeroPoint,
    range: rangeOf(activation),
    reason: activation.reason,
  };
}

function distribution(
  activation: ManifestActivation,
  histogram: HistogramData,
  settings: MethodSettings,
): Distribution {
  const { statistics } = activation;
  const methods = methodResults(activation, histogram, settings);
  return {
    elements: histogram.finite,
    zeros: histogram.zeros,
    min: histogram.min,
    max: histogram.max,
    mean: drawn(statistics?.mean ?? 0),
    clippedFraction: drawn(statistics?.clippedFraction ?? 0),
    error: drawnOrNull(statistics?.error ?? null),
    sqnr: drawnOrNull(statistics?.sqnr ?? null),
    cells: cells(histogram),
    methods,
  };
}

/** The counts between the least and the greatest value; zero, where most layers begin, is always within. */
function cells(histogram: HistogramData) {
  const low = Math.min(0, histogram.min);
  const high = Math.max(0, histogram.max) || 1;
  const counts = cellCounts(histogram, { low, high, size: CELLS });
  return { low, high, counts: counts.map((count) => Number(count.toPrecision(4))) };
}

function measuredOf(entry: DiagnosedTensor | undefined): { measured?: Measured } {
  if (entry === undefined) return {};
  const { local, accumulated, isFault } = entry;
  return {
    measured: {
      isFault,
      local: drawnOrNull(local.sqnr),
      accumulated: drawnOrNull(accumulated.sqnr),
      cosine: drawn(accumulated.cosine),
      maxAbs: drawn(accumulated.maxAbs),
    },
  };
}

function reportDiagnosis({ samples, data, output, remedies }: Diagnosis): ReportDiagnosis {
  return {
    samples,
    data,
    output: drawnOrNull(output?.sqnr ?? null),
    remedies: (remedies?.tried ?? []).map((remedy) => ({
      tensor: remedy.tensor,
      change: remedy.change,
      agreement: remedy.agreement,
      top1: remedy.top1,
      override: JSON.stringify(remedy.override),
      sqnr: drawnOrNull(remedy.sqnr),
      gain: drawnOrNull(remedy.gain),
    })),
  };
}

function reportWeight(weight: ManifestWeight): ReportWeight {
  const { tensor, node, op, bits, constraint, granularity, method, reason, storage, steps } =
    weight;
  const { min, max } = weightCodes(constraint, bits, storage);
  const middle = (min + max + 1) >> 1;
  const ranges = steps?.scales.map((scale, i) => {
    const zero = steps.zeroPoints?.[i] ?? middle;
    return drawn(scale * Math.max(zero - min, max - zero));
  });
  return {
    tensor,
    node,
    op,
    bits,
    constraint,
    granularity,
    method,
    reason,
    sqnr: drawnOrNull(steps?.sqnr ?? null),
    ranges: ranges ?? [],
  };
}

function accuracy(models: readonly EvaluatedModel[]): Accuracy {
  const [{ evaluation: float }] = models;
  return {
    samples: float.samples,
    isLabelled: float.top1 !== null,
    models: models.map(({ evaluation, bytes, againstFloat }): AccuracyRow => {
      const { name, top1, top5, loss, agreement, sqnr, cosine } = evaluation;
      const { difference, interval: [low, high] } = againstFloat ??
        { difference: 0, interval: [0, 0] };
      return {
        name,
        top1,
        top5,
        loss,
        agreement,
        sqnr,
        cosine,
        ...(bytes === undefined ? {} : { bytes }),
        ...(againstFloat ? { difference: { value: difference, low, high } } : {}),
      };
    }),
  };
}

function howItWasMade(
  { tool, model, target, statistics, data, rewrites, recipe }: Manifest,
  run: RunDescription | undefined,
): HowItWasMade {
  return {
    tool: `${tool.name} ${tool.version}`,
    model: model.sha256,
    target: target.name,
    targetSha256: target.sha256,
    statistics: statistics.sha256,
    samples: data.samples,
    skipped: data.skipped,
    data: data.sha256,
    preprocessing: data.preprocessing,
    rewrites: describeRewrites(rewrites),
    wishes: recipe === undefined ? [] : [
      ...WISH_ENTRIES.flatMap(([key]) =>
        recipe[key] === undefined ? [] : [[optionName(key), wishText(recipe[key])] as const]
      ),
      ...(recipe.overrides ?? []).map((entry) => ["override", compactJson(entry)] as const),
    ],
    definitions: recipe === undefined ? null : {
      target: canonicalJson(recipe.target),
      preprocessing: recipe.preprocessing === undefined
        ? null
        : canonicalJson(recipe.preprocessing),
    },
    repeat: recipe === undefined ? null : repeatCommand(run),
    run: run ?? null,
  };
}

/** The command that makes the same files again: the manifest is a recipe, and model and data lie where they lay. */
function repeatCommand(run: RunDescription | undefined): string {
  const { model = "MODEL.onnx", data = "DATA" } = run?.inputs ?? {};
  const quoted = (text: string) =>
    /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
  return `quantize --recipe manifest.json --model ${quoted(model)} --data ${
    quoted(data)
  } --out again`;
}

function describeRewrites(rewrites: Manifest["rewrites"]): string[] {
  const { reluBounds, equalization = {}, shiftNegative = {} } = rewrites ?? {};
  const [equalized, shifted] = [Object.keys(equalization), Object.keys(shiftNegative)];
  return [
    ...(reluBounds ? ["bounds of ReLU6 and its like moved to powers of two"] : []),
    ...(equalized.length > 0 ? [`channels equalized around ${equalized.join(", ")}`] : []),
    ...(shifted.length > 0 ? [`shifted to start at or above zero: ${shifted.join(", ")}`] : []),
  ];
}
