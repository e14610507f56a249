/**
 * Encoded text as the inputs of a model.
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";
import { option } from "../../core/option_words.ts";
import type { InputTensor, RawText, SampleInput } from "../../core/tensor.ts";
import { openTokenizer, type Tokenizer } from "./tokenizer.ts";

/** Makes a model's inputs of a text; `id` names the sample in messages. */
export type Tokenize = (text: RawText, id: string) => SampleInput | Promise<SampleInput>;

/** As much of a model's input as is looked at. */
export interface TextInput {
  /** Its name, which says what it gets. */
  readonly name: string;
  /** Dimensions, those of samples among them; null for any number. */
  readonly shape?: readonly (number | null)[];
}

/** What a model's inputs are called that get something of a text, and what they get; TensorFlow adds `:0`. */
const ROLES = {
  ids: /^(input_ids|input_word_ids|ids|tokens|input)(:\d+)?$/,
  mask: /^(attention_mask|input_mask)(:\d+)?$/,
  types: /^(token_type_ids|segment_ids|input_type_ids)(:\d+)?$/,
  positions: /^position_ids(:\d+)?$/,
} as const;

type Role = keyof typeof ROLES;

/**
 * Rows of numbers for the inputs of a model: ids, a mask of ones, types and positions of tokens, whichever it has. Text
 * beyond the length that tokenizer or model allow is cut off, which is said once. A model of a fixed length gets rows
 * filled up to it; others get rows as long as the text.
 *
 * @param onNote Told once that text is cut off, and once that padding counts, where there is no mask.
 * @throws {PlimsollError} kind `usage` for a model with inputs that no text gives.
 */
export function textInputs(
  tokenizer: Tokenizer,
  inputs: readonly TextInput[],
  onNote: (text: string) => void = () => {},
): (text: RawText, id: string) => SampleInput {
  const roles = rolesOf(inputs);
  const fixed = inputs.map(({ shape }) => shape?.at(-1)).find((size) => typeof size === "number");
  const most = Math.min(tokenizer.maxLength, fixed ?? Infinity);
  const isMasked = [...roles.values()].includes("mask");
  const said = new Set<string>();
  const sayOnce = (what: string, text: string) => {
    if (!said.has(what)) onNote(text);
    said.add(what);
  };
  return (text, id) => {
    const { ids, types, length } = tokenizer.encode(text, most);
    if (length > ids.length) {
      sayOnce(
        "cut",
        `${id} has ${length} tokens: what is behind ${ids.length} is cut off, here and elsewhere`,
      );
    }
    if (fixed !== undefined && ids.length < fixed && !isMasked) {
      sayOnce(
        "padded",
        `${id} has ${ids.length} tokens for ${fixed} positions of a model without a mask: ` +
          "padding counts as data, here and elsewhere",
      );
    }
    const values: Readonly<Record<Role, (i: number) => number>> = {
      ids: (i) => ids[i] ?? tokenizer.padId,
      mask: (i) => i < ids.length ? 1 : 0,
      types: (i) => types[i] ?? 0,
      positions: (i) => i,
    };
    const size = fixed ?? ids.length;
    return Object.fromEntries(
      [...roles].map(([name, role]): [string, InputTensor] => [name, {
        data: BigInt64Array.from({ length: size }, (_, i) => BigInt(values[role](i))),
        dims: [size],
      }]),
    );
  };
}

function rolesOf(inputs: readonly TextInput[]): Map<string, Role> {
  // The only input gets the ids, whatever it is called.
  if (inputs.length === 1) return new Map([[inputs[0].name, "ids"]]);
  const roles = new Map<string, Role>();
  const strange: string[] = [];
  for (const { name } of inputs) {
    const found = Object.entries(ROLES).find(([_, names]) => names.test(name));
    if (found === undefined) strange.push(name);
    else roles.set(name, found[0] as Role);
  }
  if (strange.length === 0 && [...roles.values()].includes("ids")) return roles;
  throw new PlimsollError("usage", {
    action: "making inputs of text",
    wanted: "a model that takes ids of tokens, with attention_mask, token_type_ids and " +
      "position_ids at most",
    found: strange.length === 0
      ? "none that takes ids"
      : `inputs ${strange.map((name) => JSON.stringify(name)).join(", ")}`,
    remedy: "Give all inputs as numbers, in an .npz or NDJSON file",
  });
}

/** Where a model's tokenizer is, parsed, and what the model takes. */
export interface TokenizerOptions {
  /** The inputs of the model. Default: `input_ids` and `attention_mask` of any length. */
  readonly inputs?: readonly TextInput[];
  /** Content of `tokenizer_config.json`, which says how long a text may be. */
  readonly config?: unknown;
  /** Told once what becomes of texts that don't fit. */
  readonly onNote?: (text: string) => void;
}

const DEFAULT_INPUTS = [{ name: "input_ids" }, { name: "attention_mask" }];

/**
 * A tokenizer for {@linkcode SamplePlaceOptions.tokenize}. Needs the package @huggingface/tokenizers beside plimsoll.
 *
 * @param file Content of `tokenizer.json`, parsed.
 * @throws {PlimsollError} kind `usage` where the package isn't installed, `input` where it can't use the file.
 */
export async function loadTokenizer(
  file: unknown,
  { inputs = DEFAULT_INPUTS, config, onNote }: TokenizerOptions = {},
): Promise<Tokenize> {
  return textInputs(await openTokenizer(file, config), inputs, onNote);
}

/** What text without a tokenizer comes to. */
export function noTokenizer(id: string): PlimsollError {
  return new PlimsollError("usage", {
    action: `reading the text of ${JSON.stringify(id)}`,
    wanted: "a tokenizer",
    found: "none",
    remedy: `Put the model's tokenizer.json beside it or name it with ${
      option("tokenizer")
    }, where there are files; or give ids in place of text`,
  });
}
