/**
 * Raw little-endian float32 values, one sample after the other.
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";
import { option } from "../../core/option_words.ts";
import { elementCount } from "../../onnx/file/tensor.ts";
import type { InputTensor, RawSample } from "../../core/tensor.ts";
import { ByteReader } from "./byte_reader.ts";
import type { Records, Selection } from "./sample_source.ts";

/** What {@linkcode readRaw} needs. */
export interface RawOptions {
  /** How messages call the data. */
  readonly name: string;
  /** Shape of one sample. */
  readonly shape: readonly number[];
  /** Size of the data, when known. */
  readonly byteLength?: number;
  readonly selection: Selection;
}

/** Samples of float32 values of one shape, without a header between them. Holds one sample. */
export function readRaw(
  stream: ReadableStream<Uint8Array>,
  { name, shape, byteLength, selection }: RawOptions,
): Records {
  const sampleBytes = 4 * elementCount(shape);
  const total = byteLength === undefined ? undefined : Math.floor(byteLength / sampleBytes);
  return { total, samples: samples(), isLabelled: false };

  async function* samples(): AsyncGenerator<RawSample> {
    const bytes = new ByteReader(stream);
    try {
      for (let index = 0; !selection.isPast(index); index++) {
        const isWanted = selection.has(index);
        const sample = isWanted ? await bytes.read(sampleBytes) : undefined;
        const found = sample?.length ?? await bytes.skip(sampleBytes);
        if (found === 0) return;
        if (found < sampleBytes) {
          selection.onBroken(
            new PlimsollError("input", {
              action: `reading ${JSON.stringify(name)}`,
              wanted: `samples of ${sampleBytes} bytes, float32 of shape ${shape.join("x")}`,
              found: `${found} bytes at the end, behind ${index} whole samples`,
              remedy: `Check ${option("inputShape")}, or get the whole file`,
            }),
          );
          return;
        }
        if (sample === undefined) continue;
        yield { index, id: `${name}#${index}`, input: floatsOf(sample, shape, `${name}#${index}`) };
      }
    } finally {
      await bytes.cancel().catch(() => {});
    }
  }
}

/**
 * Bytes as float32 values.
 *
 * @throws {PlimsollError} kind `input` when they are not as many as the shape says.
 */
export function floatsOf(
  bytes: Uint8Array,
  shape: readonly number[],
  name: string,
): InputTensor {
  const wanted = 4 * elementCount(shape);
  if (bytes.length !== wanted) {
    throw new PlimsollError("input", {
      action: `reading ${JSON.stringify(name)}`,
      wanted: `${wanted} bytes, float32 of shape ${shape.join("x")}`,
      found: `${bytes.length}`,
      remedy: `Check ${option("inputShape")}, or get the whole file`,
    });
  }
  // The copy is aligned.
  return { data: new Float32Array(bytes.slice().buffer), dims: shape };
}
