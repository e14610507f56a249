/**
 * Preprocessing: images to the numbers that the model was trained on.
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";
import type { RawSample, Sample } from "../../core/tensor.ts";
import type { Preprocessing } from "../../tpc/recipe/preprocessing.ts";
import { pixelTable } from "../../wasm/image.ts";
import { noTokenizer } from "./text_inputs.ts";
import { type ImageDecoder, imageDecoder } from "./decode_image.ts";

/**
 * A function from raw samples to model inputs. Each pixel goes through a table of 256 float32
 * values per channel, computed once in float64: exact to the last bit and fast.
 *
 * Image files and pixels that are resized, cropped or reordered go through the image core, which is
 * loaded with the first of them; it has the same tables.
 *
 * @param decoder Decodes files; by default without the limits that a caller may have.
 * @returns float32 values, one sample without batch axis: [channels, height, width], or
 * [height, width, channels] with layout NHWC. The function throws {@linkcode PlimsollError} kind
 * `data` when mean or std have another number of channels than the sample, and when an image can't be
 * read.
 */
export function preprocessor(
  options: Preprocessing,
  decoder: ImageDecoder = imageDecoder(options),
): (raw: RawSample) => Sample {
  const tables: Float32Array[] = [];
  const channelValue = (value: number | readonly number[], channel: number) =>
    typeof value === "number" ? value : value.length === 1 ? value[0] : value[channel];
  const tableFor = (channel: number) =>
    tables[channel] ??= pixelTable(
      options.scale,
      channelValue(options.mean, channel),
      channelValue(options.std, channel),
    );
  const { resize, crop, channelOrder, grayscale } = options;
  const needsCore = resize !== undefined || crop !== undefined || channelOrder === "BGR" ||
    grayscale;

  return function preprocess({ image, encoded, input, text, ...rest }: RawSample): Sample {
    if (input !== undefined) return { ...rest, input };
    if (text !== undefined) throw noTokenizer(rest.id);
    if (encoded !== undefined) return { ...rest, input: decoder.decode(encoded, rest.id) };
    if (image === undefined) {
      throw new PlimsollError("data", {
        action: `preprocessing ${JSON.stringify(rest.id)}`,
        wanted: "an image file, pixels, or numbers for the model",
        found: "none of them",
        remedy: "Give one of them",
      });
    }
    const { pixels, height, width, channels } = image;
    for (const value of [options.mean, options.std]) {
      const count = grayscale ? 1 : channels;
      if (typeof value === "number" || value.length === 1 || value.length === count) continue;
      throw new PlimsollError("data", {
        action: `preprocessing ${JSON.stringify(rest.id)}`,
        wanted: `${value.length} channels, as mean or std have`,
        found: `${count}`,
        remedy: "Give one number for all channels or one for each",
      });
    }
    if (needsCore) return { ...rest, input: decoder.resize(image, rest.id) };
    const isPlanar = options.layout === "NCHW";
    const area = height * width;
    const data = new Float32Array(area * channels);
    for (let c = 0; c < channels; c++) {
      const table = tableFor(c);
      for (let i = 0; i < area; i++) {
        data[isPlanar ? c * area + i : i * channels + c] = table[pixels[i * channels + c]];
      }
    }
    const dims = isPlanar ? [channels, height, width] : [height, width, channels];
    return { ...rest, input: { data, dims } };
  };
}
