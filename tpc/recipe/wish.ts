/**
 * What a wish is: one record, from which the command line, HTTP, the page, `compare`, schemas and docs follow.
 *
 * @module
 */
import * as z from "zod";

/** A further pass over the samples that a wish takes, beside the calibration. */
export type FurtherPass =
  /** Before it: how far activations reach, for rewrites. */
  | "ranges"
  /** After it: true errors of the best candidates. */
  | "exact"
  /** After it: outputs of the model on held-out samples. */
  | "output"
  /** After it: second moments of what weights meet. */
  | "round"
  /** After it: layers fitted to the ones before them. */
  | "layers";

/** Something that a user can wish of a quantization. */
export interface Wish {
  /** Type and range of its value in a recipe; absent where nobody wishes anything. */
  readonly schema: z.ZodType;
  /** What it means, as a phrase that stands behind its name. */
  readonly text: string;
  /** What happens when it is absent. */
  readonly otherwise: string;
  /** Heading that it stands under in forms and help. */
  readonly group: "activations" | "weights" | "graph" | "verdict";
  /** What stands for its value in help: `n`. Choices show themselves. */
  readonly hint?: string;
  /** Setting of the target that it replaces; without one its effect is a pass of `quantize`. */
  readonly place?: readonly ["activation" | "weight" | "rewrites" | "layers", string];
  /** The further pass that some values take; wishes that can take one aren't offered where samples are read once. */
  readonly pass?: { readonly stage: FurtherPass; readonly values: readonly unknown[] };
  /** Word of a value in the name of a variant. */
  readonly word: (value: unknown) => string;
  /** Whether it is yes as soon as it is named, on a command line. */
  readonly isFlag?: true;
}

/** What values a wish takes, for whoever asks in text. */
export type WishForm =
  | { readonly kind: "yesNo" }
  | { readonly kind: "choice"; readonly values: readonly (string | number)[] }
  | {
    readonly kind: "number";
    readonly isInteger: boolean;
    readonly least: number;
    readonly most: number;
  };

/** The form of a schema: yes or no, some values, or a range of numbers. */
export function formOf(schema: z.ZodType): WishForm {
  const json = z.toJSONSchema(schema) as Record<string, unknown>;
  if (json.type === "boolean") return { kind: "yesNo" };
  if (Array.isArray(json.enum)) return { kind: "choice", values: json.enum };
  if (Array.isArray(json.anyOf)) {
    return { kind: "choice", values: json.anyOf.map((entry) => entry.const) };
  }
  return {
    kind: "number",
    isInteger: json.type === "integer",
    least: (json.minimum ?? json.exclusiveMinimum ?? 0) as number,
    most: (json.maximum ?? Number.MAX_SAFE_INTEGER) as number,
  };
}

/**
 * The value that a text means: `yes`, `no`, a choice, a number.
 *
 * @returns Undefined when it means none that the wish takes; {@linkcode wantedOf} says which are.
 */
export function parseWish({ schema }: Pick<Wish, "schema">, text: string): unknown {
  const form = formOf(schema);
  const value = form.kind === "yesNo"
    ? text === "yes" ? true : text === "no" ? false : undefined
    : form.kind === "number" || typeof form.values[0] === "number"
    ? text.trim() === "" ? undefined : Number(text)
    : text;
  return schema.safeParse(value).success ? value : undefined;
}

/** The text of a value, as {@linkcode parseWish} takes it. */
export function wishText(value: unknown): string {
  return value === true ? "yes" : value === false ? "no" : String(value);
}

/** Which values a wish takes, in words: `2 to 16`, `mse, mae or kl`. */
export function wantedOf({ schema }: Pick<Wish, "schema">): string {
  const form = formOf(schema);
  if (form.kind === "yesNo") return "yes or no";
  if (form.kind === "number") {
    return form.most === Number.MAX_SAFE_INTEGER
      ? `${form.isInteger ? "an integer" : "a number"} of at least ${form.least}`
      : `${form.least} to ${form.most}`;
  }
  const values = form.values.map(String);
  return `${values.slice(0, -1).join(", ")} or ${values.at(-1)}`;
}
