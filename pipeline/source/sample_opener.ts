/**
 * Samples for a library user: from a path, an address, bytes or a stream, preprocessed, opened anew for every pass.
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";
import type { Reader } from "../../core/host.ts";
import {
  parsePreprocessing,
  type Preprocessing,
  PREPROCESSING_NAMES,
  presetPreprocessing,
} from "../../tpc/recipe/preprocessing.ts";
import type { PreparedSamples } from "./prepared_samples.ts";
import { openPreparedSamples, prepareSource } from "./prepared_samples.ts";
import type { Tokenize } from "./text_inputs.ts";
import { openSamples, type OpenSamplesOptions } from "./open_samples.ts";

/** Where samples are: a path or an address, or bytes. */
export type SamplePlace = string | URL | Blob | Uint8Array | ReadableStream<Uint8Array>;

/** Options of `openSamples`. */
export interface SamplePlaceOptions
  extends
    Pick<OpenSamplesOptions, "format" | "inputShape" | "labels" | "limit" | "onBroken" | "onNote"> {
  /** How images become the model's input: a name, or settings as a preprocessing file has them. Default: pixels / 255. */
  readonly preprocess?: typeof PREPROCESSING_NAMES[number] | Readonly<Record<string, unknown>>;
  /** Images of more pixels are refused before they are decoded. */
  readonly maxPixels?: number;
  /** Makes numbers of text: what `loadTokenizer` gives, or a function of your own. */
  readonly tokenize?: Tokenize;
  /** Reads paths and addresses; what the host's entry of the library has when absent. */
  readonly reader?: Reader;
}

/** Opens the same samples as often as they are wanted. */
export interface PlacedSamples {
  /** Opens them from the beginning; `skip` says which needn't be read. */
  open(skip?: (index: number) => boolean): Promise<PreparedSamples>;
  /** Whether they can be opened once only, as a stream. */
  readonly isOneShot: boolean;
}

/**
 * Samples of a folder of images or a data set (tar, zip, npy, npz, IDX, Parquet, NDJSON, raw values, plain or gzip), for
 * `quantize` and whatever else reads samples. Nothing is read before it is opened.
 *
 * @throws {PlimsollError} kinds `usage` and `input` where preprocessing or place make no sense; what is wrong with the
 * data comes when they are opened.
 *
 * @example Two samples as NDJSON
 * ```ts
 * import { placedSamples } from "./sample_opener.ts";
 * import assert from "node:assert/strict";
 *
 * const bytes = new TextEncoder().encode('{"input": [1, 2]}\n{"input": [3, 4]}\n');
 * const { samples } = await placedSamples(bytes).open();
 * assert.equal((await Array.fromAsync(samples)).length, 2);
 * ```
 */
export function placedSamples(place: SamplePlace, options: SamplePlaceOptions = {}): PlacedSamples {
  const { preprocess, reader, ...reading } = options;
  const preprocessing = preprocessingOf(preprocess);
  if (place instanceof ReadableStream) {
    const name = "the stream";
    const stream = place as ReadableStream<Uint8Array<ArrayBuffer>>;
    return {
      isOneShot: true,
      open: (skip) => openPreparedSamples(stream, { ...reading, skip, preprocessing, name }),
    };
  }
  if (place instanceof Blob || place instanceof Uint8Array) {
    const blob = place instanceof Blob ? place : new Blob([place as Uint8Array<ArrayBuffer>]);
    const path = "name" in blob ? String(blob.name) : "";
    return {
      isOneShot: false,
      open: (skip) =>
        openPreparedSamples(blob.stream() as ReadableStream<Uint8Array<ArrayBuffer>>, {
          ...reading,
          skip,
          preprocessing,
          path,
          name: path === "" ? "the bytes" : path,
          byteLength: blob.size,
          slice: (start, end) => blob.slice(start, end).arrayBuffer(),
        }),
    };
  }
  if (typeof place !== "string" && !(place instanceof URL)) {
    throw refuse("a path, a URL, a Blob, bytes or a stream of bytes", typeof place);
  }
  if (reader === undefined) {
    throw refuse("bytes, a Blob or a stream, since this host has no files", JSON.stringify(place));
  }
  const path = pathOf(place);
  return {
    isOneShot: path === "-",
    open: async (skip) =>
      prepareSource(await openSamples(reader, path, { ...reading, skip }), {
        preprocessing,
        maxPixels: options.maxPixels,
        tokenize: options.tokenize,
        onBroken: options.onBroken,
      }),
  };
}

function preprocessingOf(wanted: SamplePlaceOptions["preprocess"]): Preprocessing {
  if (typeof wanted !== "string") return parsePreprocessing(wanted ?? {}, "of these samples");
  const preset = presetPreprocessing(wanted);
  if (preset !== undefined) return preset;
  throw refuse(`preprocess ${PREPROCESSING_NAMES.join(", ")}, or settings`, JSON.stringify(wanted));
}

/** File addresses are paths to whoever reads files. */
function pathOf(place: string | URL): string {
  const text = String(place);
  if (!text.startsWith("file:")) return text;
  const path = decodeURIComponent(new URL(text).pathname);
  return /^\/[A-Za-z]:\//.test(path) ? path.slice(1) : path;
}

function refuse(wanted: string, found: string): PlimsollError {
  return new PlimsollError("usage", {
    action: "opening the samples",
    wanted,
    found,
    remedy: "Give one of them",
  });
}
