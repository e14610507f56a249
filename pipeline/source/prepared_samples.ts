/**
 * From bytes that come by themselves to samples for the model, with what statistics say of them.
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";
import type { RawSample, RawText, Sample } from "../../core/tensor.ts";
import { ImageError } from "../../wasm/image.ts";
import type { SampleSource } from "./sample_source.ts";
import { type ByteSource, openStream } from "./byte_source.ts";
import { imageDecoder } from "./decode_image.ts";
import { type OpenSamplesOptions, openSampleStream } from "./open_samples.ts";
import { preprocessor } from "./preprocess.ts";
import type { Tokenize } from "./text_inputs.ts";
import type { Preprocessing } from "../../tpc/recipe/preprocessing.ts";

/** What {@linkcode openPreparedSamples} needs besides the bytes. */
export interface PreparedSamplesOptions
  extends
    Pick<OpenSamplesOptions, "limit" | "skip" | "onBroken" | "onNote" | "format" | "inputShape">,
    Pick<ByteSource, "byteLength" | "slice"> {
  /** How images become the model's input; see `parsePreprocessing`. */
  readonly preprocessing: Preprocessing;
  /** How messages call the data. */
  readonly name: string;
  /** Their file name, when they have one: its ending says what they are where the bytes don't. */
  readonly path?: string;
  /** Images of more pixels are refused before they are decoded. */
  readonly maxPixels?: number;
  /** Makes numbers of text; without it text is refused. */
  readonly tokenize?: Tokenize;
}

/** Samples ready for the model. */
export interface PreparedSamples {
  /** Number of samples up to the limit, when known without reading them. */
  readonly count?: number;
  /** The samples, made on demand. Consume it or cancel it. */
  readonly samples: ReadableStream<Sample>;
  /** What the data set is, wherever it lies: option `source` of `calibrate` and `quantize`. */
  readonly source: string;
  /** How images became samples. */
  readonly preprocessing: Preprocessing;
}

/**
 * Opens a data set (tar, zip, npy, IDX, NDJSON, raw values, plain or gzip; npz and Parquet with a `slice`) and
 * preprocesses its samples on the way. Nothing is read ahead.
 *
 * Give `byteLength` where it is known: it is part of what names a data set, so statistics have the same bytes as
 * those of the command line only with it.
 *
 * @throws {PlimsollError} kind `input` or `data`.
 *
 * @example Two samples as NDJSON
 * ```ts
 * import { openPreparedSamples } from "./prepared_samples.ts";
 * import { parsePreprocessing } from "../../tpc/recipe/preprocessing.ts";
 * import assert from "node:assert/strict";
 *
 * const body = new Response('{"input": [1, 2]}\n{"input": [3, 4]}\n').body!;
 * const { samples } = await openPreparedSamples(body, {
 *   name: "two samples",
 *   preprocessing: parsePreprocessing({}, "defaults"),
 * });
 * assert.equal((await Array.fromAsync(samples)).length, 2);
 * ```
 */
export async function openPreparedSamples(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  options: PreparedSamplesOptions,
): Promise<PreparedSamples> {
  const { name, path = "", byteLength, slice } = options;
  const bytes = await openStream(stream, { name, path, byteLength, slice });
  return prepareSource(await openSampleStream(bytes, options), options);
}

/** Preprocesses opened samples on the way to the model. */
export function prepareSource(
  { samples, count, identity }: SampleSource,
  { preprocessing, maxPixels, onBroken, tokenize, around = (raw, prepare) => prepare(raw) }:
    & Pick<PreparedSamplesOptions, "preprocessing" | "maxPixels" | "onBroken" | "tokenize">
    & {
      /** Done in place of preparing a sample, for who measures it. */
      readonly around?: (raw: RawSample, prepare: Prepare) => ReturnType<Prepare>;
    },
): PreparedSamples {
  const prepareImage = preprocessor(preprocessing, imageDecoder(preprocessing, { maxPixels }));
  const prepare: Prepare = (raw) => {
    if (raw.text === undefined || tokenize === undefined) return prepareImage(raw);
    return tokenized(raw, raw.text, tokenize);
  };
  return {
    count,
    samples: samples.pipeThrough(prepareSamples((raw) => around(raw, prepare), onBroken)),
    source: identity,
    preprocessing,
  };
}

async function tokenized(
  { index, id, label }: RawSample,
  text: RawText,
  tokenize: Tokenize,
): Promise<Sample> {
  return { index, id, input: await tokenize(text, id), ...label === undefined ? {} : { label } };
}

/** Decodes and preprocesses one sample. */
type Prepare = (raw: RawSample) => Sample | Promise<Sample>;

/**
 * A stage that prepares samples and leaves out broken ones as the source does. Broken is an image
 * that can't be decoded, and what is an error of kind `input`. All else, such as a preprocessing that fits no
 * image, stops the stream.
 *
 * @param onBroken Told about a broken sample; throws to stop. Without it the error stops the stream.
 */
export function prepareSamples(
  prepare: Prepare,
  onBroken?: (error: PlimsollError) => void,
): TransformStream<RawSample, Sample> {
  return new TransformStream<RawSample, Sample>({
    transform: async (raw, controller) => {
      let sample: Sample;
      try {
        sample = await prepare(raw);
      } catch (error) {
        const isBroken = error instanceof PlimsollError &&
          (error.kind === "input" || error.cause instanceof ImageError);
        if (!isBroken || onBroken === undefined) throw error;
        return onBroken(error);
      }
      controller.enqueue(sample);
    },
  });
}
