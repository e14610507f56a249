/**
 * Hugging Face's `preprocessor_config.json` to preprocessing.
 *
 * @module
 */
import * as z from "zod";
import { PlimsollError } from "../../core/errors.ts";
import { option } from "../../core/option_words.ts";
import { INTERPOLATIONS } from "../../wasm/image.ts";
import { parsePreprocessing, type Preprocessing } from "../../tpc/recipe/preprocessing.ts";

const side = z.int().min(1);
const sides = z.union([
  side,
  z.strictObject({ shortest_edge: side }),
  z.strictObject({ height: side, width: side }),
]);
const perChannel = z.union([z.number(), z.array(z.number()).min(1)]);
const flag = z.boolean().nullish();

/** What is understood. */
const configSchema = z.looseObject({
  image_processor_type: z.string().nullish(),
  feature_extractor_type: z.string().nullish(),
  do_resize: flag,
  size: sides.nullish(),
  default_to_square: flag,
  resample: z.int().min(0).max(5).nullish(),
  crop_pct: z.number().positive().nullish(),
  do_center_crop: flag,
  crop_size: sides.nullish(),
  do_rescale: flag,
  rescale_factor: z.number().nullish(),
  rescale_offset: flag,
  do_normalize: flag,
  image_mean: perChannel.nullish(),
  image_std: perChannel.nullish(),
  include_top: flag,
  do_flip_channel_order: flag,
  data_format: z.enum(["channels_first", "channels_last"]).nullish(),
});
type Config = z.infer<typeof configSchema>;

/** Keys that change no pixel of one image. */
const WITHOUT_EFFECT = new Set([
  "processor_class",
  "auto_map",
  "do_convert_rgb",
  "do_reduce_labels",
  "reduce_labels",
  "num_labels",
  "return_tensors",
  "input_data_format",
  "device",
  "disable_grouping",
]);

/** Processors whose plain number for `size` is the shortest side; for all others it is a square. */
const SHORTEST_BY_NAME = /^(CLIP|ChineseCLIP|Bit|ConvNext|Levit|MobileNetV|MobileViT|PoolFormer)/i;

/**
 * The preprocessing of a parsed file, ours or Hugging Face's.
 *
 * @param name What to call it in messages.
 * @throws {PlimsollError} kind `input`.
 */
export function preprocessingFrom(value: unknown, name: string): Preprocessing {
  // Hugging Face's files say who wrote them, or have keys that begin with do_ or image_.
  const isConfig = typeof value === "object" && value !== null &&
    Object.keys(value).some((key) => /^(do_|image_|size$|feature_extractor_type$)/.test(key));
  return isConfig ? preprocessingFromConfig(value, name) : parsePreprocessing(value, name);
}

/**
 * The preprocessing that a parsed `preprocessor_config.json` describes. Offsets of crops are cut off,
 * as Hugging Face's image processors do.
 *
 * @param name What to call it in messages.
 * @throws {PlimsollError} kind `input` when a key has a value of the wrong type, or demands what is not supported.
 *
 * @example
 * ```ts
 * import { preprocessingFromConfig } from "./preprocessor_config.ts";
 * import assert from "node:assert/strict";
 *
 * const { resize, mean } = preprocessingFromConfig({
 *   image_processor_type: "ViTImageProcessor",
 *   size: { height: 224, width: 224 },
 *   image_mean: [0.5, 0.5, 0.5],
 *   image_std: [0.5, 0.5, 0.5],
 * }, "preprocessor_config.json");
 * assert.deepEqual(resize, { width: 224, height: 224 });
 * assert.deepEqual(mean, [0.5, 0.5, 0.5]);
 * ```
 */
export function preprocessingFromConfig(value: unknown, name: string): Preprocessing {
  const result = configSchema.safeParse(value);
  if (!result.success) {
    const faults = result.error.issues.map(({ path, message }) =>
      path.length === 0 ? message : `${path.join(".")}: ${message}`
    );
    throw configError(name, faults.join("; "));
  }
  const config = result.data;
  const unsupported = unsupportedKeys(config);
  if (unsupported.length > 0) {
    throw configError(name, `unsupported ${unsupported.join(", ")}`);
  }
  return parsePreprocessing({
    ...sizes(config),
    ...(typeof config.resample === "number" && { interpolation: INTERPOLATIONS[config.resample] }),
    ...numbers(config, name),
    channelOrder: config.do_flip_channel_order ? "BGR" : "RGB",
    layout: config.data_format === "channels_last" ? "NHWC" : "NCHW",
  }, name);
}

/** Keys that ask for something, and what they ask for. */
function unsupportedKeys(config: Config): string[] {
  const isConvNext = /^ConvNext/i.test(processorName(config));
  const known = (key: string) =>
    WITHOUT_EFFECT.has(key) || key in configSchema.shape && (key !== "crop_pct" || isConvNext);
  const isOff = (value: unknown) => value === null || value === undefined || value === false;
  return Object.entries(config)
    .filter(([key, value]) => !known(key) && !key.startsWith("_") && !isOff(value))
    .map(([key, value]) => `${key} ${JSON.stringify(value)}`);
}

function processorName({ image_processor_type, feature_extractor_type }: Config): string {
  return image_processor_type ?? feature_extractor_type ?? "";
}

/** Resize and crop. */
function sizes(config: Config): Pick<Partial<Preprocessing>, "resize" | "crop"> {
  const { do_resize, size, default_to_square, crop_pct, do_center_crop, crop_size } = config;
  const processor = processorName(config);
  const isShortest = default_to_square === false ||
    default_to_square !== true && SHORTEST_BY_NAME.test(processor);
  const wanted = size === null || size === undefined || do_resize === false
    ? undefined
    : typeof size === "object"
    ? size
    : isShortest
    ? { shortest_edge: size }
    : { width: size, height: size };
  const crop = crop_size === null || crop_size === undefined || do_center_crop === false
    ? undefined
    : squareOf(crop_size);
  if (wanted === undefined || !("shortest_edge" in wanted)) {
    return {
      ...(wanted && { resize: { width: wanted.width, height: wanted.height } }),
      ...(crop && { crop: { ...crop, rounding: "truncate" } }),
    };
  }
  const edge = wanted.shortest_edge;
  if (/^ConvNext/i.test(processor)) {
    // Small pictures are cut out of larger ones; from 384 on the whole picture becomes a square.
    if (edge >= 384) return { resize: { width: edge, height: edge } };
    return {
      resize: { shortest: Math.trunc(edge / (crop_pct ?? 224 / 256)), rounding: "truncate" },
      crop: { width: edge, height: edge, rounding: "truncate" },
    };
  }
  const shortest = /^Levit/i.test(processor) ? Math.trunc(256 / 224 * edge) : edge;
  return {
    resize: { shortest, rounding: "truncate" },
    ...(crop && { crop: { ...crop, rounding: "truncate" } }),
  };
}

function squareOf(size: z.infer<typeof sides>): { width: number; height: number } {
  if (typeof size === "number") return { width: size, height: size };
  if ("shortest_edge" in size) return { width: size.shortest_edge, height: size.shortest_edge };
  return { width: size.width, height: size.height };
}

/** Scale, mean and std. */
function numbers(config: Config, name: string): Partial<Preprocessing> {
  const { do_rescale, rescale_factor, rescale_offset, do_normalize, image_mean, image_std } =
    config;
  const scale = do_rescale === false ? 1 : rescale_factor ?? 1 / 255;
  const hasNumbers = image_mean !== null && image_mean !== undefined ||
    image_std !== null && image_std !== undefined;
  if (do_normalize === false || do_normalize !== true && !hasNumbers) {
    return { scale, ...(rescale_offset && { mean: 1 }) };
  }
  if (image_mean === null || image_mean === undefined) throw configError(name, "no image_mean");
  if (image_std === null || image_std === undefined) throw configError(name, "no image_std");
  const offset = rescale_offset ? 1 : 0;
  const map = (value: number | number[], change: (value: number) => number) =>
    typeof value === "number" ? change(value) : value.map(change);
  return {
    scale,
    mean: offset === 0 ? image_mean : map(image_mean, (mean) => mean + offset),
    // EfficientNet's processor divides a second time.
    std: config.include_top && /^EfficientNet/i.test(processorName(config))
      ? map(image_std, (std) => std * std)
      : image_std,
  };
}

function configError(name: string, found: string): PlimsollError {
  return new PlimsollError("input", {
    action: `reading ${JSON.stringify(name)}`,
    wanted: "an image processor of Hugging Face that resizes, crops, rescales and normalises",
    found,
    remedy: `Give the preprocessing with ${option("preprocess")} instead`,
  });
}
