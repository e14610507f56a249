/**
 * How a quantization runs, what happens on the way, and what it makes.
 *
 * @module
 */
import type { OptionWording } from "../../core/option_words.ts";
import type { Progress } from "../../core/progress.ts";
import type { Sample } from "../../core/tensor.ts";
import type { Model } from "../../onnx/file/model.ts";
import type { Manifest } from "../../tpc/manifest.ts";
import type { Recipe } from "../../tpc/recipe/recipe.ts";
import type { Target } from "../../tpc/targets/target.ts";
import type { Plan } from "../plan/plan.ts";
import type { Sensitivity } from "../plan/sensitivity_file.ts";
import type { Runtime } from "../inference/runtime.ts";
import type { CalibrateOptions } from "../passes/calibrate.ts";
import type { Statistics } from "../statistics/statistics.ts";
import type { Verdict } from "../verdict/verdict.ts";
import type { Elsewhere } from "./elsewhere.ts";
import type { FloatModel } from "./float_model.ts";

/** A pass over the samples that is about to begin. */
export interface Pass {
  /**
   * `ranges` finds out how far activations reach, for rewrites; `calibrate` makes statistics; `exact` sums true errors of
   * the best candidates; `output` reads held-out samples; `round` gathers second moments, more than once where they are
   * many; `layers` reads the samples that layers are fitted to, one after the other.
   */
  readonly stage: "ranges" | "calibrate" | "exact" | "output" | "round" | "layers";
  /** Number of the pass among those of its stage, from 1. */
  readonly number: number;
  /** Passes of this stage. */
  readonly count: number;
  /** Names of the results that it serves. */
  readonly variants: readonly string[];
}

/** What happens on the way; a promise that is given back is waited for. */
export type QuantizeEvent =
  /** A pass begins. */
  | { readonly kind: "pass"; readonly pass: Pass }
  /** After every batch. */
  | { readonly kind: "progress"; readonly progress: Progress }
  /** The model has all its rewrites, and calibration begins. */
  | { readonly kind: "prepared"; readonly float: FloatModel; readonly target: Target }
  /** Statistics are whole: what fails later can begin with them. */
  | {
    readonly kind: "calibrated";
    readonly statistics: Statistics;
    readonly file: Uint8Array<ArrayBuffer>;
    readonly pass: Pass;
  }
  /** What every quantizer costs the outputs is measured: a later plan can begin with it. */
  | { readonly kind: "sensitivity"; readonly sensitivity: Sensitivity }
  /** Something that the user should know. */
  | { readonly kind: "note"; readonly text: string }
  /** A result is ready. */
  | { readonly kind: "made"; readonly result: Quantization };

/** How a quantization runs. None of it changes a result. */
export interface RunOptions extends
  Pick<
    CalibrateOptions,
    | "batch"
    | "signal"
    | "workers"
    | "startWorker"
    | "room"
    | "onNonFinite"
    | "onSkip"
    | "onTime"
  > {
  /** Where models run; the default runtime when absent. Workers have their own. */
  readonly runtime?: Runtime;
  /** Told what happens. */
  readonly onEvent?: (event: QuantizeEvent) => void | Promise<void>;
  /** Statistics of an earlier run of the calibration, where there is one: its samples are passed over. */
  readonly resume?: Statistics;
  /** Where statistics so far are kept, in case the run is killed. */
  readonly checkpoint?: CalibrateOptions["checkpoint"];
  /** Gathers passes over the samples on other machines; this one does when absent. Checkpoints are theirs then. */
  readonly elsewhere?: Elsewhere;
  /** Samples of other shards: calibration passes over them. */
  readonly leaveOut?: (index: number) => boolean;
  /**
   * Samples to judge results by, at most `count` of them; the first ones of the calibration when absent, or where it
   * gives none.
   */
  readonly judgeOn?: (
    count: number,
  ) => Promise<{ readonly samples: readonly Sample[]; readonly data: Verdict["data"] }>;
  /** How notes of verdicts write options; as programs do when absent. */
  readonly wording?: OptionWording;
  /** Looks at statistics while they grow; see `isEnough` of `calibrate`. */
  readonly watch?: (
    float: FloatModel,
    target: Target,
  ) => Pick<CalibrateOptions, "isEnough" | "onProgress">;
}

/** Everything that a quantization makes. */
export interface Quantization {
  /** Name of its recipe. */
  readonly name: string;
  /** The recipe, with the whole target in it; the manifest carries it. */
  readonly recipe: Recipe;
  /** The target with the recipe's wishes. */
  readonly target: Target;
  /** The float model with the rewrites that the recipe wants. */
  readonly float: FloatModel;
  /** The quantized QDQ model as an ONNX file. */
  readonly model: Uint8Array<ArrayBuffer>;
  /** Its weights as the file `model.onnx.data` beside it, in pieces; empty when they are in the model. */
  readonly weights: readonly Uint8Array[];
  /** The same model as a value. */
  readonly emitted: Model;
  /** Every decision, with its reason. */
  readonly manifest: Manifest;
  /** The file of codes, where weights aren't rounded to the nearest ones. */
  readonly codes?: Uint8Array<ArrayBuffer>;
  /** The statistics as a `.plim` file: decide again later without data or inference. */
  readonly statistics: Uint8Array<ArrayBuffer>;
  /** Number of its calibration pass, from 0. */
  readonly pass: number;
  /** Whether it still does what the float model does; absent where nothing was there to run it on, or nobody wanted it. */
  readonly verdict?: Verdict;
  /** How its units were planned, where they were. */
  readonly plan?: Plan;
  /** What every quantizer alone costs the outputs, where plans were wished: a later plan can begin with it. */
  readonly sensitivity?: Sensitivity;
}
