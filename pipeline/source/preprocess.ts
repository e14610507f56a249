/**
 * Preprocessing: pixels to the numbers that the model was trained on.
 *
 * @module
 */
import { z } from "zod";
import { PlimsollError } from "../../tpc/core/errors.ts";
import type { RawSample, Sample } from "../core/tensor.ts";

const perChannel = z.union([z.number(), z.array(z.number()).min(1)]);

/** Schema of a preprocessing file. */
export const preprocessingSchema = z.strictObject({
  scale: z.number().default(1 / 255).describe("Factor for pixels 0 … 255"),
  mean: perChannel.default(0).describe("Subtracted after scaling; one number or one per channel"),
  std: perChannel.default(1).describe("Divisor after that; one number or one per channel"),
  layout: z.enum(["NCHW", "NHWC"]).default("NCHW").describe(
    "Order of the axes in the model's input",
  ),
});

/** How pixels become the model's input: value = (pixel · scale − mean) / std. */
export type Preprocessing = Readonly<z.infer<typeof preprocessingSchema>>;

/**
 * Checks a parsed preprocessing file and fills in the defaults.
 *
 * @throws {PlimsollError} kind `input`.
 */
export function parsePreprocessing(value: unknown, name: string): Preprocessing {
  const result = preprocessingSchema.safeParse(value);
  const isZero = (std: number | number[]) => [std].flat().includes(0);
  if (result.success && !isZero(result.data.std)) return result.data;
  const faults = result.error?.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
  throw new PlimsollError("input", {
    action: `reading preprocessing ${JSON.stringify(name)}`,
    wanted: '{ "scale", "mean", "std", "layout" }, std not zero',
    found: faults?.join("; ") ?? "std 0",
    remedy: "Correct the file or the options",
  });
}

/**
 * A function from raw samples to model inputs. Each pixel goes through a table of 256 float32
 * values per channel, computed once in float64: exact to the last bit and fast.
 *
 * @returns float32 values, one sample without batch axis: [channels, height, width], or
 * [height, width, channels] with layout NHWC. The function throws {@linkcode PlimsollError} kind
 * `data` when mean or std have another number of channels than the sample.
 */
export function preprocessor(options: Preprocessing): (raw: RawSample) => Sample {
  const tables: Float32Array[] = [];
  const channelValue = (value: number | readonly number[], channel: number) =>
    typeof value === "number" ? value : value.length === 1 ? value[0] : value[channel];
  const tableFor = (channel: number) =>
    tables[channel] ??= Float32Array.from(
      { length: 256 },
      (_, pixel) =>
        (pixel * options.scale - channelValue(options.mean, channel)) /
        channelValue(options.std, channel),
    );

  return function preprocess({ image, encoded, input, ...rest }: RawSample): Sample {
    if (input !== undefined) return { ...rest, input };
    if (image === undefined) {
      throw new PlimsollError("data", {
        action: `preprocessing ${JSON.stringify(rest.id)}`,
        wanted: "pixels, or numbers for the model",
        found: encoded === undefined ? "neither" : "an image file",
        remedy: "Decode it first",
      });
    }
    const { pixels, height, width, channels } = image;
    for (const value of [options.mean, options.std]) {
      if (typeof value === "number" || value.length === 1 || value.length === channels) continue;
      throw new PlimsollError("data", {
        action: `preprocessing ${JSON.stringify(rest.id)}`,
        wanted: `${value.length} channels, as mean or std have`,
        found: `${channels}`,
        remedy: "Give one number for all channels or one for each",
      });
    }
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
