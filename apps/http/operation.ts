/**
 * What a request can ask for, as data and a function: routes, checks and the description of the interface follow
 * from it.
 *
 * @module
 */
import type { OnProgress } from "../../core/progress.ts";
import type { Limits } from "./limits.ts";
import type { Options, OptionShape } from "./options.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** A part of the body that an operation reads. */
export interface PartSpec {
  /** Name of the form's field. */
  readonly name: "model" | "samples" | "statistics" | "manifest";
  /** What it is. */
  readonly description: string;
  /** Whether it can be left out. */
  readonly isOptional?: true;
  /** Part that can stand in its place; one of the two is wanted. */
  readonly orElse?: PartSpec["name"];
}

/** A file that an operation makes. */
export interface ResultFile {
  /** Its name. */
  readonly name: string;
  /** Its media type. */
  readonly type: string;
  /** Its content. */
  readonly bytes: Bytes;
}

/** What an operation gets. */
export interface OperationInput {
  /** Parts that are held in memory, by name. */
  readonly files: ReadonlyMap<string, Bytes>;
  /** The samples, when the body has some. Consumed. */
  readonly samples?: { readonly stream: ReadableStream<Bytes>; readonly filename?: string };
  /** Checked options. */
  readonly options: Options;
  /** Limits of the handler. */
  readonly limits: Limits;
  /** Ends the work. */
  readonly signal: AbortSignal;
  /** Told how far it is. */
  readonly onProgress?: OnProgress;
  /** Told what the client should know. */
  readonly onNote: (text: string) => void;
}

/** Something that can be asked for. */
export interface Operation {
  /** Where: `/v1/search`. */
  readonly path: string;
  /** What it does, a sentence. */
  readonly summary: string;
  /** Parts of its body. */
  readonly parts: readonly PartSpec[];
  /** Its options. */
  readonly options: OptionShape;
  /** Files that it can make. */
  readonly results: readonly Pick<ResultFile, "name" | "type">[];
  /** Does it. Throws what `problemOf` understands. */
  readonly run: (input: OperationInput) => Promise<readonly ResultFile[]>;
}

/** Files by the name of the part that asks for them. */
export const MEDIA = {
  model: { name: "model.onnx", type: "application/octet-stream" },
  statistics: { name: "statistics.plim", type: "application/octet-stream" },
  manifest: { name: "manifest.json", type: "application/json" },
} as const;
