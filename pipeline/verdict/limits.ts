/**
 * How much a quantized model may lose before it is said to have lost what the network is for.
 *
 * @module
 */
import type { Manifest } from "../../tpc/manifest.ts";
import type { Wishes } from "../../tpc/recipe/wishes.ts";
import type { ModelEvaluation } from "../evaluate/evaluate.ts";
import type { OutputFigures } from "../evaluate/output_figures.ts";

/** The limits, as wishes of a recipe set them. */
export interface Limits {
  /** Least SQNR of every output in dB, of the whole and of the median sample. */
  readonly leastSqnr: number;
  /** Most rows with another class than float, in percent. */
  readonly mostFlips: number;
}

/**
 * Limits when nobody sets them. On EfficientNet-Lite0 all seven error methods stay above 18 dB and below 3 % of other
 * classes (docs/verdict.md); networks that lost what they are for have single digits.
 */
export const DEFAULT_LIMITS: Limits = { leastSqnr: 15, mostFlips: 5 };

/** Least SQNR in dB of any slice of an output: below, its error is as large as what it holds. */
const LEAST_SLICE_SQNR = 3;
/** Least cosine of embeddings: neighbours change below. */
const LEAST_COSINE = 0.985;
/** Rows from which a part of them means something. */
const LEAST_ROWS = 32;

/** One thing that an output lost. */
export interface Loss {
  /** Name of the output. */
  readonly output: string;
  /** In words: what was found and what is wanted. */
  readonly what: string;
}

/** The limits of a recipe. */
export function limitsOf({ leastSqnr, mostFlips }: Wishes): Limits {
  return {
    leastSqnr: leastSqnr ?? DEFAULT_LIMITS.leastSqnr,
    mostFlips: mostFlips ?? DEFAULT_LIMITS.mostFlips,
  };
}

/** Most points of top-1 that may be lost on labelled samples. */
const MOST_TOP1_LOSS = 0.03;

/** What a model lost beyond the limits against the float one, on samples that may have labels. */
export function lossesOfEvaluation(
  float: Pick<ModelEvaluation, "top1" | "samples">,
  { top1, outputs }: Pick<ModelEvaluation, "top1" | "outputs">,
  limits: Limits,
): Loss[] {
  const lost = lossesOf(outputs, limits);
  if (top1 === null || float.top1 === null || float.samples < LEAST_ROWS) return lost;
  const difference = float.top1 - top1;
  if (difference <= MOST_TOP1_LOSS) return lost;
  const [first] = outputs;
  return [...lost, {
    output: first?.output ?? "the classes",
    what: `${(100 * difference).toFixed(1)} points of top-1 (at most ${100 * MOST_TOP1_LOSS})`,
  }];
}

/** What outputs lost beyond the limits; empty when they hold. */
export function lossesOf(outputs: readonly OutputFigures[], limits: Limits): Loss[] {
  return outputs.flatMap((figures) =>
    lossesOfOutput(figures, limits).map((what) => ({ output: figures.output, what }))
  );
}

/** Part of what a tensor holds that its grid may lose. */
const MOST_TENSOR_LOSS = 0.25;

/** Tensors whose own grids lose more than that, whatever comes of it at the outputs. */
export function lossesOfGrids({ activations }: Manifest): Loss[] {
  return activations.flatMap(({ tensor, method, statistics }) =>
    (statistics?.lost ?? 0) <= MOST_TENSOR_LOSS ? [] : [{
      output: tensor,
      what: `${method} loses ${percent(statistics!.lost!)} of what this activation holds (at most ${
        percent(MOST_TENSOR_LOSS)
      })`,
    }]
  );
}

function lossesOfOutput(figures: OutputFigures, { leastSqnr, mostFlips }: Limits): string[] {
  const { kind, sqnr, medianSqnr, cosine, worstSlice, flips, rows, equal, isFinite } = figures;
  const lost: string[] = [];
  const decibels = (value: number) => `${value.toFixed(1)} dB`;
  if (!isFinite) lost.push("NaN or infinity where float gives numbers");
  if (kind === "codes") {
    if (equal !== null && equal < 1 - mostFlips / 100) {
      lost.push(`${percent(1 - equal)} of its integers are others (at most ${mostFlips} %)`);
    }
    return lost;
  }
  if (sqnr !== null && sqnr < leastSqnr) {
    lost.push(`${decibels(sqnr)} (at least ${leastSqnr})`);
  } else if (medianSqnr !== null && medianSqnr < leastSqnr) {
    lost.push(
      `${decibels(medianSqnr)} in the median sample (at least ${leastSqnr}); ` +
        `an outlier makes ${sqnr === null ? "∞" : decibels(sqnr)} of it`,
    );
  }
  if (worstSlice !== null && worstSlice.sqnr < LEAST_SLICE_SQNR && lost.length === 0) {
    const { axis, index, sqnr: found } = worstSlice;
    lost.push(
      `slice ${index} of axis ${axis} has ${
        decibels(found)
      }, as much error as content, while the whole has ${sqnr === null ? "∞" : decibels(sqnr)}`,
    );
  }
  if (kind === "embedding" && cosine < LEAST_COSINE) {
    lost.push(`cosine ${cosine.toFixed(3)} (at least ${LEAST_COSINE})`);
  }
  if (flips !== null && rows >= LEAST_ROWS && 100 * flips > mostFlips) {
    lost.push(`${percent(flips)} get another class (at most ${mostFlips} %)`);
  }
  return lost;
}

function percent(part: number): string {
  return `${(100 * part).toFixed(1)} %`;
}
