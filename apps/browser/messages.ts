/**
 * What the page and its worker say to each other.
 *
 * @module
 */
import type { Convergence } from "../../pipeline/passes/threshold_watch.ts";
import type { Progress } from "../../core/progress.ts";
import type { Recipe } from "../../tpc/recipe/recipe.ts";

/** A file with its path below the folder that it came in. */
export interface PickedFile {
  /** Relative, with `/` between its parts. */
  readonly path: string;
  readonly file: Blob;
}

/** Calibration samples: a file, or a folder of images. */
export interface PickedSamples {
  /** Name of the file or folder. */
  readonly name: string;
  /** One file is a data set by itself where `isFolder` is false. */
  readonly isFolder: boolean;
  readonly files: readonly PickedFile[];
}

/** Everything that the work needs; survives structured cloning. */
export interface Job {
  /** A quantized model, or what the kernels of the model take in this browser. */
  readonly task: "quantize" | "profile";
  readonly model: { readonly name: string; readonly file: Blob };
  /** Files beside the model: its weights as external data. */
  readonly beside: readonly PickedFile[];
  readonly samples: PickedSamples;
  /** What is wished, preprocessing among it. */
  readonly recipe: Recipe;
  /** Samples that are used at most. */
  readonly limit?: number;
  /** Samples a run; changes no result. */
  readonly batch?: number;
}

/** From the worker, while it works. */
export type News =
  | { readonly type: "progress"; readonly progress: Progress }
  | { readonly type: "note"; readonly text: string }
  | { readonly type: "thresholds"; readonly thresholds: Convergence };

/** A file that was made. */
export interface MadeFile {
  readonly name: string;
  readonly mediaType: string;
  readonly parts: readonly (Uint8Array<ArrayBuffer> | string)[];
}

/** What a job comes to. */
export interface JobResult {
  readonly files: readonly MadeFile[];
  /** In one sentence. */
  readonly summary: string;
  /** A table as text, to be read below it. */
  readonly table?: string;
}

/** From the worker: news, then one of the other two. */
export type FromWorker =
  | News
  | { readonly type: "done"; readonly result: JobResult }
  | { readonly type: "failed"; readonly message: string };
