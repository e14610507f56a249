/**
 * Options of requests: by the names of the command line, as query parameters or as JSON in the part `options`.
 *
 * @module
 */
import { parseJsonText } from "../../core/parse_json.ts";
import * as z from "zod";
import { optionName, requestWording, wordOptions } from "../../core/option_words.ts";
import { formOf, type Wish, wishText } from "../../tpc/recipe/wish.ts";
import { WISH_ENTRIES, WISHES } from "../../tpc/recipe/wishes.ts";
import { INTERPOLATIONS } from "../../wasm/image.ts";
import { FORMATS } from "../../pipeline/source/format.ts";
import { Problem } from "./problem.ts";

/** Numbers come as text in a query. */
const anyNumber = z.preprocess(asNumber, z.number());
const integer = (least: number, most = Number.MAX_SAFE_INTEGER) =>
  z.preprocess(asNumber, z.int().min(least).max(most));
const numbers = z.preprocess(
  (value) => typeof value === "string" ? value.split(",").map(asNumber) : value,
  z.union([z.number(), z.array(z.number()).min(1)]),
);
/** A name, or what a file of the command line would hold. */
const nameOrJson = z.preprocess(asJson, z.union([z.string(), z.record(z.string(), z.unknown())]));
const size = z.string().regex(/^\d+(x\d+)?$/);

function asNumber(value: unknown): unknown {
  return typeof value === "string" && value.trim() !== "" ? Number(value) : value;
}

function asJson(value: unknown): unknown {
  if (typeof value !== "string" || !/^\s*[[{]/.test(value)) return value;
  try {
    return parseJsonText(value);
  } catch {
    // A name that begins with a bracket is none that is known, and refused as such.
    return value;
  }
}

const yesOrNo = z.enum(["yes", "no"]);

/** The wishes that samples can give which are read once, which those of a request are. */
const wishOptions = Object.fromEntries(
  WISH_ENTRIES.filter(([key, { pass }]) => pass === undefined && key !== "requantize")
    .map(([key, wish]) => [key, wishOption(wish)]),
);

/** What thresholds are searched for. */
export const targetOptions = {
  target: nameOrJson.default("default").describe(
    "Name of a target, or a target file's content as JSON",
  ),
  ...wishOptions,
  override: z.preprocess(
    (value) => {
      const json = asJson(value);
      return Array.isArray(json) ? json : [json];
    },
    z.array(z.record(z.string(), z.unknown())),
  ).describe(
    "Settings for tensors, nodes or operators by name, in which * stands for anything: JSON",
  ),
};

/** A wish as text or as JSON has it; yes and no stay texts, as a description says best. */
function wishOption({ schema, text }: Wish): z.ZodType {
  const option = formOf(schema).kind === "yesNo"
    ? z.preprocess((value) => typeof value === "boolean" ? wishText(value) : value, yesOrNo)
    : z.preprocess(asNumberOr(schema), schema);
  return option.describe(wordOptions(text, requestWording));
}

/** Numbers come as text in a query; choices that are texts stay so. */
function asNumberOr(schema: z.ZodType): (value: unknown) => unknown {
  const form = formOf(schema);
  const isText = form.kind === "choice" && typeof form.values[0] === "string";
  return (value) => isText ? value : asNumber(value);
}

/** How samples are read and counted. */
export const dataOptions = {
  dataFormat: z.enum(FORMATS).describe("What the samples are; by name and first bytes otherwise"),
  inputShape: z.string().regex(/^\d+([x×,]\d+)*$/).describe(
    "Shape of a sample of raw float32 values, as 3x224x224",
  ),
  samples: integer(1).describe("Use at most this many samples"),
  samplesBytes: integer(1).describe(
    "Size of the samples in bytes, where it is known: it is part of what names a data set, so that statistics have the bytes that the command line gives for the file",
  ),
  batch: integer(1).describe("Samples per inference run; never changes a result"),
  onBroken: z.enum(["fail", "skip"]).default("fail").describe(
    "What becomes of samples that can't be read",
  ),
  onNonfinite: z.enum(["fail", "skip"]).default("fail").describe(
    "What becomes of a sample that makes NaN or infinity",
  ),
  preprocess: nameOrJson.describe("Name of a preprocessing, or a preprocessing file's content"),
  resize: size.describe("Shortest side, or width and height, as 256 or 320x240"),
  crop: size.describe("Window around the centre, as 224 or 320x240"),
  interpolation: z.enum(INTERPOLATIONS).describe("Filter of resizing"),
  channelOrder: z.enum(["RGB", "BGR"]).describe("Order of the model's channels"),
  scale: anyNumber.describe("Factor for pixels 0 … 255"),
  mean: numbers.describe("Subtracted after scaling; one or one per channel"),
  std: numbers.describe("Divisor after that; one or one per channel"),
  layout: z.enum(["NCHW", "NHWC"]).describe("Order of the model's axes"),
  maxPixels: integer(1).describe("Images of more pixels are refused before they are decoded"),
};

/** How the model is read. */
export const modelOptions = {
  requantize: z.preprocess(
    (value) =>
      value === "" || value === "true" || value === "yes" ? true : value === "no" ? false : value,
    WISHES.requantize.schema,
  ).describe(WISHES.requantize.text),
};

/** What of a quantization is sent back. */
export const resultOptions = {
  result: z.enum(["model", "manifest", "statistics", "all"]).default("model").describe(
    "What is sent: one file, or all of them as a tar",
  ),
};

/** Options by name, as an operation has them. */
export type OptionShape = Readonly<Record<string, z.ZodType>>;

const all = { ...targetOptions, ...dataOptions, ...modelOptions, ...resultOptions };

/** Every option that an operation can have; absent where nobody said anything. */
export type Options = Partial<{ [name in keyof typeof all]: z.infer<(typeof all)[name]> }>;

/**
 * Reads options from a query, and from JSON where the body has some.
 *
 * @param shape Options of the operation.
 * @throws {Problem} `usage` that names each option that is unknown, given twice, or has no possible value.
 */
export function readOptions(shape: OptionShape, query: URLSearchParams, json?: unknown): Options {
  const given: [string, unknown][] = [];
  for (const name of new Set(query.keys())) {
    const values = query.getAll(name);
    const isList = name === "override";
    if (values.length > 1 && !isList) throw refuse(`${name} once`, `${values.length} times`);
    given.push([name, isList ? values.flatMap(asJson) : values[0]]);
  }
  if (json !== undefined) {
    if (typeof json !== "object" || json === null || Array.isArray(json)) {
      throw refuse("an object in part options", JSON.stringify(json).slice(0, 40));
    }
    for (const [name, value] of Object.entries(json)) {
      if (query.has(name)) throw refuse(`${name} once`, "it in the query and in part options");
      given.push([name, value]);
    }
  }
  const keys = new Map(Object.keys(shape).map((key) => [optionName(key), key]));
  const known: Record<string, unknown> = {};
  for (const [name, value] of given) {
    const key = keys.get(name);
    if (key === undefined) {
      throw refuse(`options ${[...keys.keys()].join(", ")}`, JSON.stringify(name));
    }
    known[key] = value;
  }
  const schema = z.object(
    Object.fromEntries(
      Object.entries(shape).map(([key, type]) => [
        key,
        // What stands in the shape with a default keeps it.
        type instanceof z.ZodDefault ? type : type.optional(),
      ]),
    ),
  );
  const result = schema.safeParse(known);
  if (result.success) return result.data as Options;
  const [{ path, message }] = result.error.issues;
  throw refuse(
    `${optionName(String(path[0]))}: ${message}`,
    JSON.stringify(known[path[0] as string]),
  );
}

function refuse(wanted: string, found: string): Problem {
  return new Problem("usage", `While reading the options: wanted ${wanted}, found ${found}.`);
}
