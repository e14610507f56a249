/**
 * Preprocessing as data: what images become before the model sees them.
 *
 * @module
 */
import * as z from "zod";
import { PlimsollError } from "../../core/errors.ts";
import { INTERPOLATIONS } from "../../wasm/image.ts";

/** A list of one is that one: options give lists, files mostly numbers, and both must have the same hash. */
const perChannel = z.union([
  z.number(),
  z.array(z.number()).min(1).transform((list) => list.length === 1 ? list[0] : list),
]);
const pixels = z.int().min(1).max(2 ** 16);

const shortestSide = z.strictObject({
  shortest: pixels.describe("Pixels of the short side; the long one keeps the ratio"),
  rounding: z.enum(["round", "truncate"]).default("round").describe(
    "What becomes of a part of a pixel of the long side: rounded or cut off (torchvision, Hugging Face)",
  ),
});
const exactSize = z.strictObject({ width: pixels, height: pixels });
const window = z.strictObject({
  width: pixels,
  height: pixels,
  rounding: z.enum(["truncate", "round"]).default("truncate").describe(
    "What becomes of half a pixel of offset: cut off (Hugging Face) or rounded to even (torchvision)",
  ),
});

/** Sizes as options have them stand for the whole. */
function shorthand<Size>(parse: (text: string) => Size | undefined) {
  return (value: unknown) =>
    typeof value === "number" || typeof value === "string" ? parse(String(value)) ?? value : value;
}

/** Schema of a preprocessing file. */
export const preprocessingSchema = z.strictObject({
  resize: z.preprocess(shorthand(parseResize), z.union([shortestSide, exactSize]).optional())
    .describe(
      'Size of an image before the crop, as of --resize (256, "320x240") or in full; its own by default',
    ),
  crop: z.preprocess(shorthand(parseCrop), window.optional()).describe(
    "Window around the centre; what lies outside of the image is pixels of 0",
  ),
  interpolation: z.enum(INTERPOLATIONS).default("bilinear").describe(
    "Filter of resizing; all but nearest are antialiased, as in Pillow",
  ),
  channelOrder: z.enum(["RGB", "BGR"]).default("RGB").describe("Order of the model's channels"),
  grayscale: z.boolean().default(false).describe("One channel: the luma of RGB"),
  scale: z.number().default(1 / 255).describe("Factor for pixels 0 … 255"),
  mean: perChannel.default(0).describe(
    "Subtracted after scaling; one number or one per channel of the model",
  ),
  std: perChannel.default(1).describe(
    "Divisor after that; one number or one per channel of the model",
  ),
  layout: z.enum(["NCHW", "NHWC"]).default("NCHW").describe(
    "Order of the axes in the model's input",
  ),
});

/** How images become the model's input: value = (pixel · scale − mean) / std. */
export type Preprocessing = Readonly<z.infer<typeof preprocessingSchema>>;

/** Names of what is known as preprocessing; see {@linkcode presetPreprocessing}. */
export const PREPROCESSING_NAMES = ["imagenet", "inception", "raw"] as const;

const PRESETS: Record<typeof PREPROCESSING_NAMES[number], unknown> = {
  // torchvision's evaluation of classifiers.
  imagenet: {
    resize: { shortest: 256, rounding: "truncate" },
    crop: { width: 224, height: 224, rounding: "round" },
    mean: [0.485, 0.456, 0.406],
    std: [0.229, 0.224, 0.225],
  },
  // timm's inception_v3: 299 of 341 pixels, values −1 … 1.
  inception: {
    resize: { shortest: 341, rounding: "truncate" },
    crop: { width: 299, height: 299, rounding: "round" },
    interpolation: "bicubic",
    mean: 0.5,
    std: 0.5,
  },
  raw: { scale: 1 },
};

/** A preprocessing by name, or undefined when the name is none of {@linkcode PREPROCESSING_NAMES}. */
export function presetPreprocessing(name: string): Preprocessing | undefined {
  if (!Object.hasOwn(PRESETS, name)) return undefined;
  return preprocessingSchema.parse(PRESETS[name as keyof typeof PRESETS]);
}

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
  const fields = Object.keys(preprocessingSchema.shape).map((field) => `"${field}"`).join(", ");
  throw new PlimsollError("input", {
    action: `reading preprocessing ${JSON.stringify(name)}`,
    wanted: `{ ${fields} }, each optional, std not zero`,
    found: faults?.join("; ") ?? "std 0",
    remedy: "Correct the file or the options",
  });
}

/** Settings that options may put in place of those of a file or preset. */
const OPTIONS = [
  ...["resize", "crop", "interpolation", "channelOrder", "scale", "mean", "std", "layout"],
] as const;

/**
 * A preprocessing with options in place of its own settings; those that are undefined, and other keys, are no options.
 *
 * @param name How messages call the whole.
 * @throws {PlimsollError} kind `input`.
 */
export function overridePreprocessing(
  base: Preprocessing,
  options: Readonly<Record<string, unknown>>,
  name: string,
): Preprocessing {
  const given = Object.entries(options).filter(([key, value]) =>
    OPTIONS.some((known) => known === key) && value !== undefined
  );
  return parsePreprocessing({ ...base, ...Object.fromEntries(given) }, name);
}

/**
 * The value of `--resize`: `256` is the shortest side, `320x240` width and height.
 *
 * @returns undefined when it is neither.
 */
export function parseResize(
  text: string,
): z.infer<typeof shortestSide> | z.infer<typeof exactSize> | undefined {
  const sides = parseSides(text);
  if (sides?.length === 1) return { shortest: sides[0], rounding: "round" };
  return sides && { width: sides[0], height: sides[1] };
}

/**
 * The value of `--crop`: `224` is a square, `320x240` width and height.
 *
 * @returns undefined when it is neither.
 */
export function parseCrop(text: string): z.infer<typeof window> | undefined {
  const sides = parseSides(text);
  return sides && { width: sides[0], height: sides.at(-1)!, rounding: "truncate" };
}

function parseSides(text: string): number[] | undefined {
  const sides = /^(\d+)(?:x(\d+))?$/.exec(text)?.slice(1).filter((side) => side !== undefined);
  return sides?.map(Number).every((side) => side >= 1 && side <= 2 ** 16)
    ? sides.map(Number)
    : undefined;
}
