/**
 * What the report page shows, as plain JSON: the contract between what collects it and the script in the page.
 *
 * Real values are in units of the tensor, fractions 0 … 1, SQNR in dB. Numbers that are only drawn or printed are
 * rounded to six significant digits; the manifest has them whole.
 *
 * @module
 */
import type { Constraint, ErrorMethod } from "../../../core/types.ts";
import type { Verdict } from "../../verdict/verdict.ts";
import type { Plan } from "../../plan/plan.ts";
import type { ModelEvaluation } from "../../evaluate/evaluate.ts";

/** Everything on the page. */
export interface ReportData {
  /** Name of the model, as the user called it. */
  readonly title: string;
  readonly made: HowItWasMade;
  /** One row a model, the float one first; null without evaluation. */
  /** What became of every output; null where nobody ran the model. */
  readonly verdict: Verdict | null;
  readonly accuracy: Accuracy | null;
  /** Quantized activations in topological order. */
  readonly activations: readonly ReportActivation[];
  /** Quantized constants in topological order. */
  readonly weights: readonly ReportWeight[];
  /** Nodes that stay float, and why. */
  readonly float: readonly {
    readonly node: string;
    readonly op: string;
    readonly reason: string;
  }[];
  /** Quantizers that lose most first. */
  /** Methods that are drawn at first, beside the chosen ones. */
  readonly shownMethods: readonly ErrorMethod[];
  readonly suspects: readonly Suspect[];
  /** What comparing the models layer by layer found, where that was done. */
  readonly diagnosis: ReportDiagnosis | null;
  /** What was planned, where it was. */
  readonly plan: Plan | null;
}

/** What of a diagnosis isn't about one activation. */
export interface ReportDiagnosis {
  readonly samples: number;
  readonly data: "calibration" | "evaluation";
  /** SQNR of the first output, in dB. */
  readonly output: number | null;
  /** Changes that were tried, greatest gain first. */
  readonly remedies: readonly ReportRemedy[];
}

/** One change that was tried. */
export interface ReportRemedy {
  readonly tensor: string;
  readonly change: string;
  /** SQNR of the first output with it, in dB. */
  readonly sqnr: number | null;
  readonly gain: number | null;
  readonly agreement: number;
  readonly top1: number | null;
  /** What `--override` takes. */
  readonly override: string;
}

/** What comparing the models found for one activation; SQNR in dB, null where nothing is lost. */
export interface Measured {
  /** See `isFault` of a diagnosis. */
  readonly isFault: boolean;
  /** With float inputs of its layer. */
  readonly local: number | null;
  /** In the quantized model as a whole. */
  readonly accumulated: number | null;
  /** Cosine and largest deviation in the quantized model as a whole. */
  readonly cosine: number;
  readonly maxAbs: number;
}

/** Where the numbers come from. */
export interface HowItWasMade {
  readonly tool: string;
  readonly model: string;
  readonly target: string;
  readonly targetSha256: string;
  readonly statistics: string;
  readonly samples: number;
  readonly skipped: number;
  readonly data: string;
  readonly preprocessing: string | null;
  /** What the recipe wishes over its target, and overrides, as texts. */
  readonly wishes: readonly (readonly [name: string, value: string])[];
  /** Target and preprocessing whole, as JSON; null where the manifest has hashes only. */
  readonly definitions: { readonly target: string; readonly preprocessing: string | null } | null;
  /** The command that repeats the run. */
  readonly repeat: string | null;
  /** Paths, times and machine of the run; null where nobody kept them. */
  readonly run: RunDescription | null;
  /** Exact rewrites of the graph, in words. */
  readonly rewrites: readonly string[];
}

/** What a run was beside its recipe: `run.json`. */
export interface RunDescription {
  /** Name and version of the tool. */
  readonly tool: string;
  /** What started it: the command, and its arguments. */
  readonly command: readonly string[];
  /** When it began, ISO 8601. */
  readonly started: string;
  /** How long it took. */
  readonly seconds: number;
  /** Runtime and processor; null where the host doesn't say. */
  readonly machine: string | null;
  /** What was read, by the names of the options. */
  readonly inputs: {
    readonly model?: string;
    readonly data?: string;
    readonly evaluation?: string;
  };
}

/** The accuracy table. */
export interface Accuracy {
  readonly samples: number;
  readonly isLabelled: boolean;
  readonly models: readonly AccuracyRow[];
}

/** What an evaluation says of a model in one row. */
type Evaluated = Pick<
  ModelEvaluation,
  "name" | "top1" | "top5" | "loss" | "agreement" | "sqnr" | "cosine"
>;

/** One model of the accuracy table. */
export interface AccuracyRow extends Evaluated {
  /** Bytes of the model, where known. */
  readonly bytes?: number;
  /** Top-1 minus that of the float model on the same samples, with the bounds of its 95 % interval, where known. */
  readonly difference?: { readonly value: number; readonly low: number; readonly high: number };
}

/** One activation tensor with its quantizer. */
export interface ReportActivation {
  readonly tensor: string;
  readonly op: string;
  readonly node: string;
  readonly fused: readonly string[];
  readonly shape: readonly (number | null)[];
  /** Activations (numbers in the list) that its node is made from. */
  readonly from: readonly number[];
  /** Activations that are made from it. */
  readonly to: readonly number[];
  /** Nodes that read it, as operator and name. */
  readonly readers: readonly string[];
  /** Weights (numbers in their list) of the nodes that read it. */
  readonly weights: readonly number[];
  readonly bits: number;
  readonly signed: boolean;
  readonly constraint: Constraint;
  readonly method: ErrorMethod;
  readonly threshold: number;
  readonly scale: number;
  readonly zeroPoint: number;
  /** Real values of the first and last code. */
  readonly range: readonly [number, number];
  readonly reason: readonly string[];
  /** Number of the activation whose grid it has; then it has no statistics of its own. */
  readonly sameAs?: number;
  readonly seen?: Distribution;
  readonly measured?: Measured;
}

/** What was seen of a tensor. */
export interface Distribution {
  readonly elements: number;
  readonly zeros: number;
  readonly min: number;
  readonly max: number;
  readonly mean: number;
  readonly clippedFraction: number;
  readonly error: number | null;
  /** In dB; null when nothing is lost. */
  readonly sqnr: number | null;
  /** Counts of equal cells from `low` to `high`. */
  readonly cells: Cells;
  /** Every method under the same bits, constraint and sign. */
  readonly methods: readonly MethodResult[];
}

/** Elements in equal cells; the first one starts at `low`, the last one ends at `high`. */
export interface Cells {
  readonly low: number;
  readonly high: number;
  readonly counts: readonly number[];
}

/** What one error method finds for a tensor. */
export interface MethodResult {
  readonly method: ErrorMethod;
  readonly isChosen: boolean;
  readonly threshold: number;
  /** Real values of the first and last code. */
  readonly range: readonly [number, number];
  readonly error: number | null;
  readonly sqnr: number | null;
  readonly clippedFraction: number;
  /** Threshold and ERR of each candidate, ascending; empty for methods that set a range. */
  readonly curve: readonly (readonly [number, number])[];
}

/** One quantized constant. */
export interface ReportWeight {
  readonly tensor: string;
  readonly node: string;
  readonly op: string;
  readonly bits: number;
  readonly constraint: Constraint;
  readonly granularity: string;
  readonly method: string;
  /** In dB; null when nothing is lost or the steps aren't searched yet. */
  readonly sqnr: number | null;
  /** Largest magnitude that the codes of each channel (or block) hold; empty when the steps aren't searched yet. */
  readonly ranges: readonly number[];
  readonly reason: readonly string[];
}

/** A quantizer that loses much. */
export interface Suspect {
  readonly kind: "activation" | "weight";
  /** Number in its list. */
  readonly index: number;
  /** In dB. */
  readonly sqnr: number;
  /** What was found, in words. */
  readonly why: readonly string[];
}
