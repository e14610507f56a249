/**
 * The table of wishes: all that a user can ask of a quantization, one record each. A new one needs a record here and
 * its effect: a setting of the target (`place`), or a pass (`pass`) that `pipeline/quantize` runs.
 *
 * @module
 */
import * as z from "zod";
import {
  ACTIVATION_TIMES,
  CONSTRAINTS,
  GRANULARITIES,
  METHOD_CHOICES,
  SIGNEDNESS,
  WEIGHT_METHODS,
  WEIGHT_ONLY_TYPES,
} from "../../core/types.ts";
import { option } from "../../core/option_words.ts";
import type { Wish } from "./wish.ts";

const THE_TARGETS = "the target's";
const exponent = z.number().min(1).max(16);
const yesOrNo = z.boolean();
const wanted = (name: string) => (value: unknown) => value === true ? name : `no ${name}`;
const titled = (name: string) => (value: unknown) => `${name} ${value}`;

/** What can be wished, in the order of forms, help and names of variants. */
export const WISHES = {
  error: {
    schema: z.enum(METHOD_CHOICES),
    text: "how thresholds are chosen",
    otherwise: THE_TARGETS,
    group: "activations",
    hint: "method",
    place: ["activation", "error"],
    word: String,
  },
  activation: {
    schema: z.enum(ACTIVATION_TIMES),
    text:
      "when activations are quantized: static by grids that samples choose, dynamic as the model runs, in front of linear layers alone",
    otherwise: "the target's, static",
    group: "activations",
    hint: "when",
    place: ["layers", "activations"],
    word: String,
  },
  bits: {
    schema: z.int().min(2).max(16),
    text: "bits of activations, 2 to 16",
    otherwise: THE_TARGETS,
    group: "activations",
    hint: "n",
    place: ["activation", "bits"],
    word: (value) => `${value}-bit`,
  },
  constraint: {
    schema: z.enum(CONSTRAINTS),
    text: "allowed thresholds",
    otherwise: THE_TARGETS,
    group: "activations",
    hint: "kind",
    place: ["activation", "constraint"],
    word: String,
  },
  signed: {
    schema: z.enum(SIGNEDNESS),
    text: "signed codes",
    otherwise: THE_TARGETS,
    group: "activations",
    hint: "when",
    place: ["activation", "signed"],
    word: titled("signed"),
  },
  lpP: {
    schema: exponent,
    text: `exponent of ${option("error", "lp")}`,
    otherwise: "2",
    group: "activations",
    hint: "p",
    place: ["activation", "lpP"],
    word: titled("p"),
  },
  percentile: {
    schema: z.number().min(1e-6).max(100),
    text: `percent of the elements that ${option("error", "percentile")} keeps`,
    otherwise: "99.999",
    group: "activations",
    hint: "p",
    place: ["activation", "percentile"],
    word: (value) => `${value} %`,
  },
  zThreshold: {
    schema: z.number().min(1e-6).max(1e6),
    text: "leave elements beyond z standard deviations out of the search",
    otherwise: "none",
    group: "activations",
    hint: "z",
    place: ["activation", "zThreshold"],
    word: titled("z"),
  },
  weightOnly: {
    schema: z.enum(WEIGHT_ONLY_TYPES),
    text: "quantize nothing but weights, and store them in this; they compute in float",
    otherwise: "activations are quantized, too",
    group: "weights",
    hint: "type",
    place: ["layers", "weightOnly"],
    word: (value) => `${value} weights only`,
  },
  weightBits: {
    schema: z.int().min(2).max(8),
    text: "bits of weights, 2 to 8",
    otherwise: THE_TARGETS,
    group: "weights",
    hint: "n",
    place: ["weight", "bits"],
    word: (value) => `${value}-bit weights`,
  },
  weightConstraint: {
    schema: z.enum(CONSTRAINTS),
    text: "allowed grids of weights",
    otherwise: THE_TARGETS,
    group: "weights",
    hint: "kind",
    place: ["weight", "constraint"],
    word: (value) => `${value} weights`,
  },
  weightGranularity: {
    schema: z.enum(GRANULARITIES),
    text: "weights that share a step",
    otherwise: THE_TARGETS,
    group: "weights",
    hint: "whose",
    place: ["weight", "granularity"],
    word: (value) => `steps by ${value}`,
  },
  weightBlock: {
    schema: z.union([16, 32, 64, 128, 256].map((size) => z.literal(size))),
    text: `weights in a block of ${option("weightGranularity", "block")}: 16, 32, 64, 128 or 256`,
    otherwise: "32",
    group: "weights",
    hint: "n",
    place: ["weight", "blockSize"],
    word: (value) => `blocks of ${value}`,
  },
  weightError: {
    schema: z.enum(WEIGHT_METHODS),
    text: "how weight steps are chosen",
    otherwise: THE_TARGETS,
    group: "weights",
    hint: "method",
    place: ["weight", "error"],
    word: (value) => `${value} weights`,
  },
  weightLpP: {
    schema: exponent,
    text: `exponent of ${option("weightError", "lp")}`,
    otherwise: "2",
    group: "weights",
    hint: "p",
    place: ["weight", "lpP"],
    word: (value) => `weight p ${value}`,
  },
  weightClip: {
    schema: yesOrNo,
    text: "whether a weight may be clipped by more than half a step",
    otherwise: THE_TARGETS,
    group: "weights",
    hint: "allowed",
    place: ["weight", "clip"],
    word: wanted("clipped weights"),
  },
  weightRounding: {
    schema: z.enum(["nearest", "gptq"]),
    text:
      "gptq: codes by which layers err least, from second moments of their inputs; another pass of 128 samples, writes codes.bin, too",
    otherwise: "nearest",
    group: "weights",
    hint: "how",
    pass: { stage: "round", values: ["gptq"] },
    word: String,
  },
  sequential: {
    schema: z.enum(["bias", "weights"]),
    text:
      "fit layer after layer to what the quantized ones before it give: their biases, or codes, steps and biases; kept where other samples say that it is better; one more look at the samples",
    otherwise: "each layer by itself",
    group: "weights",
    hint: "what",
    pass: { stage: "layers", values: ["bias", "weights"] },
    word: (value) => `sequential ${value}`,
  },
  biasCorrection: {
    schema: yesOrNo,
    text: "whether what rounding weights adds on average is taken out of the bias",
    otherwise: "the target's, yes",
    group: "weights",
    hint: "wanted",
    place: ["weight", "biasCorrection"],
    word: wanted("bias-correction"),
  },
  reluBounds: {
    schema: yesOrNo,
    text: "move bounds of ReLU6 to powers of two, an exact rewrite",
    otherwise: "where thresholds are powers of two",
    group: "graph",
    hint: "wanted",
    place: ["rewrites", "reluBounds"],
    word: wanted("relu-bounds"),
  },
  equalize: {
    schema: yesOrNo,
    text: "share the range of weights between neighbouring layers; one more pass over the samples",
    otherwise: "no",
    group: "graph",
    hint: "wanted",
    place: ["rewrites", "equalization"],
    pass: { stage: "ranges", values: [true] },
    word: wanted("equalize"),
  },
  shiftNegative: {
    schema: yesOrNo,
    text: "shift activations with a small negative side to start at zero; one more pass",
    otherwise: "no",
    group: "graph",
    hint: "wanted",
    place: ["rewrites", "shiftNegative"],
    pass: { stage: "ranges", values: [true] },
    word: wanted("shift-negative"),
  },
  scaleMigration: {
    schema: yesOrNo,
    text:
      "scale channels of activations for the layers behind (SmoothQuant), where that errs less; one more look at the samples",
    otherwise: "the target's",
    group: "graph",
    hint: "wanted",
    place: ["rewrites", "scaleMigration"],
    pass: { stage: "ranges", values: [true] },
    word: wanted("scale-migration"),
  },
  exact: {
    schema: yesOrNo,
    text: "choose grids that are not powers of two by a second pass over the elements",
    otherwise: "no",
    group: "activations",
    pass: { stage: "exact", values: [true] },
    word: wanted("exact"),
    isFlag: true,
  },
  autoBy: {
    schema: z.enum(["error", "output"]),
    text: `what ${
      option("error", "auto")
    } goes by: each tensor's own error, or the outputs of the model on up to 16 held-out samples`,
    otherwise: "error",
    group: "activations",
    hint: "what",
    pass: { stage: "output", values: ["output"] },
    word: (value) => `by ${value}`,
  },
  autoRuns: {
    schema: z.int().min(1),
    text: `runs of the model that ${
      option("autoBy", "output")
    } may take; a sample is a run for every grid tried`,
    otherwise: "2000",
    group: "activations",
    hint: "n",
    pass: { stage: "output", values: [] },
    word: (value) => `${value} runs`,
  },
  leastSqnr: {
    schema: z.number().min(0).max(200),
    text: "least SQNR of every output in dB; a model below has lost what it is for",
    otherwise: "15",
    group: "verdict",
    hint: "db",
    word: titled("at least dB"),
  },
  mostFlips: {
    schema: z.number().min(0).max(100),
    text: "most samples that may get another class than float gives them, in percent",
    otherwise: "5",
    group: "verdict",
    hint: "percent",
    word: titled("at most flips"),
  },
  requantize: {
    schema: yesOrNo,
    text: "take a QDQ model: the real values of its weights, without its quantizers",
    otherwise: "refuse it",
    group: "graph",
    word: wanted("requantize"),
    isFlag: true,
  },
} as const satisfies Readonly<Record<string, Wish>>;

/** Name of a wish in a recipe. */
export type WishKey = keyof typeof WISHES;

/** Names and records of all wishes, in order. */
export const WISH_ENTRIES = Object.entries(WISHES) as readonly (readonly [WishKey, Wish])[];

/** What is wished; what is absent nobody wished. */
export type Wishes = {
  readonly [Key in WishKey]?: z.infer<(typeof WISHES)[Key]["schema"]>;
};

/** The further passes that wishes take, in the order in which they are run. */
export function furtherPasses(wishes: Wishes): NonNullable<Wish["pass"]>["stage"][] {
  const stages = WISH_ENTRIES.filter(([key, { pass }]) => pass?.values.includes(wishes[key])).map((
    [, { pass }],
  ) => pass!.stage);
  const order = ["ranges", "exact", "output", "round", "layers"] as const;
  return order.filter((stage) => stages.includes(stage));
}
