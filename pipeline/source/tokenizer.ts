/**
 * Text to ids of tokens, by the `tokenizer.json` of Hugging Face.
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";
import type { RawText } from "../../core/tensor.ts";

/** Tokens of a text or a pair, with those that a model wants around them. */
export interface Encoded {
  readonly ids: readonly number[];
  /** 0 for tokens of the first text, 1 for those of the second. */
  readonly types: readonly number[];
  /** Tokens before any was cut off. */
  readonly length: number;
}

/** A tokenizer at work. */
export interface Tokenizer {
  /** Encodes to at most `most` tokens. */
  encode(text: RawText, most: number): Encoded;
  /** Most tokens that its files allow; infinite where they say nothing. */
  readonly maxLength: number;
  /** Id that fills rows up. */
  readonly padId: number;
}

/** As much of the package's tokenizer as is used. */
interface HuggingFaceTokenizer {
  tokenize(text: string, options: { add_special_tokens: boolean }): string[];
  token_to_id(token: string): number | undefined;
  readonly model: { readonly unk_token_id?: number } | null;
  readonly post_processor: {
    post_process(tokens: string[], pair: string[] | null, addSpecialTokens: boolean): Processed;
    readonly config: ProcessorFile;
  } | null;
}

/** What puts tokens around others, as `tokenizer.json` has it. */
interface ProcessorFile {
  readonly type?: string;
  readonly processors?: readonly ProcessorFile[];
}

interface Processed {
  readonly tokens: string[];
  /** Left over by processors that know no pairs. */
  readonly tokens_pair?: string[] | null;
  readonly token_type_ids?: number[];
}

type TokenizerClass = new (tokenizer: object, config: object) => HuggingFaceTokenizer;

/** `tokenizer.json`, as much as is looked at. */
interface TokenizerFile {
  readonly truncation?: { readonly max_length?: number; readonly direction?: string } | null;
  readonly padding?: { readonly pad_id?: number } | null;
}

/** `tokenizer_config.json` likewise. */
interface TokenizerConfig {
  readonly model_max_length?: number;
  readonly truncation_side?: string;
  readonly pad_token?: string | { readonly content?: string } | null;
}

/** Lengths above this mean "any", as Hugging Face writes it. */
const ANY_LENGTH = 1e9;

/**
 * Loads the package and makes a tokenizer of parsed files.
 *
 * @param file Content of `tokenizer.json`.
 * @param config Content of `tokenizer_config.json`, where there is one.
 * @param name How messages call the file.
 * @throws {PlimsollError} kind `usage` where the package isn't installed, `input` where it can't use the file.
 */
export async function openTokenizer(
  file: unknown,
  config: unknown = {},
  name = "tokenizer.json",
): Promise<Tokenizer> {
  const Class = await loadPackage();
  const given = settingsOf(file, config);
  let tokenizer: HuggingFaceTokenizer;
  try {
    tokenizer = new Class(file as object, config as object);
  } catch (cause) {
    throw unusable(`reading tokenizer ${JSON.stringify(name)}`, cause);
  }
  const pad = [tokenizer.token_to_id(given.padToken ?? ""), given.padId]
    .find((id) => Number.isSafeInteger(id));
  return {
    maxLength: given.maxLength,
    padId: pad ?? 0,
    encode: (text, most) => {
      try {
        return encode(tokenizer, text, Math.min(most, given.maxLength), given.isLeft);
      } catch (cause) {
        // The package looks at most of a file only when there is text.
        if (cause instanceof PlimsollError) throw cause;
        throw unusable(`making tokens by ${JSON.stringify(name)}`, cause);
      }
    },
  };
}

function unusable(action: string, cause: unknown): PlimsollError {
  return new PlimsollError("input", {
    action,
    wanted: "a tokenizer.json of Hugging Face, of a kind that @huggingface/tokenizers knows",
    found: (cause as Error).message,
    remedy: "Get the file again from where the model comes from, or give ids in place of text",
    cause,
  });
}

async function loadPackage(): Promise<TokenizerClass> {
  // Not a literal: it is installed or not, and no bundle carries it.
  const name: string = "@huggingface/tokenizers";
  try {
    return (await import(name)).Tokenizer;
  } catch (cause) {
    throw new PlimsollError("usage", {
      action: "loading @huggingface/tokenizers, which makes ids of text",
      wanted: "it installed beside plimsoll",
      found: (cause as Error).message,
      remedy: "Run: npm install @huggingface/tokenizers@0.2.0, or give ids in place of text",
      cause,
    });
  }
}

/** What the files say that the package leaves to its user. */
function settingsOf(file: unknown, config: unknown) {
  const { truncation, padding } = Object(file) as TokenizerFile;
  const { model_max_length, truncation_side, pad_token } = Object(config) as TokenizerConfig;
  const lengths = [truncation?.max_length, model_max_length].filter((length) =>
    typeof length === "number" && length > 0 && length < ANY_LENGTH
  ) as number[];
  const side = truncation_side ?? truncation?.direction;
  const token = isText(pad_token) ? pad_token : pad_token?.content;
  return {
    maxLength: Math.min(Infinity, ...lengths),
    isLeft: isText(side) && side.toLowerCase() === "left",
    padToken: isText(token) ? token : undefined,
    padId: padding?.pad_id,
  };
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function encode(
  tokenizer: HuggingFaceTokenizer,
  { text, pair }: RawText,
  most: number,
  isLeft: boolean,
): Encoded {
  const plain = (part: string) => tokenizer.tokenize(part, { add_special_tokens: false });
  const first = plain(text);
  const second = pair === undefined ? null : plain(pair);
  const whole = join(tokenizer, first, second);
  const { length } = whole.tokens;
  if (length <= most) return { ...numbered(tokenizer, whole), length };
  const own = length - first.length - (second?.length ?? 0);
  const [left, right] = shares(first.length, second?.length ?? 0, Math.max(0, most - own));
  const cut = (tokens: string[], count: number) =>
    isLeft ? tokens.slice(tokens.length - count) : tokens.slice(0, count);
  const joined = join(tokenizer, cut(first, left), second && cut(second, right));
  return { ...numbered(tokenizer, joined), length };
}

/** Tokens with those around and between them. */
function join(
  { post_processor: processor }: HuggingFaceTokenizer,
  first: string[],
  second: string[] | null,
): { tokens: string[]; types: number[] } {
  const done: Processed = processor === null
    ? { tokens: first, tokens_pair: second }
    : processor.post_process(first, second, true);
  const tokens = [...done.tokens, ...done.tokens_pair ?? []];
  // RoBERTa knows one type of tokens; the package counts two all the same.
  const types = isRoberta(processor?.config) ? [] : done.token_type_ids;
  const border = done.tokens_pair ? done.tokens.length : tokens.length;
  return { tokens, types: tokens.map((_, i) => types?.[i] ?? (i < border ? 0 : 1)) };
}

function isRoberta(config: ProcessorFile | undefined): boolean {
  return config?.type === "RobertaProcessing" || config?.processors?.some(isRoberta) === true;
}

/** How many tokens of each text stay where both have `most`: the longer one gives first, as Hugging Face does. */
function shares(first: number, second: number, most: number): [number, number] {
  const short = Math.min(first, second);
  let [less, more] = [short, Math.max(short, most - short)];
  if (short > most) more = short;
  if (less + more > most) {
    less = Math.floor(most / 2);
    more = most - less;
  }
  return first > second ? [more, less] : [less, more];
}

function numbered(
  tokenizer: HuggingFaceTokenizer,
  { tokens, types }: { readonly tokens: string[]; readonly types: number[] },
): Pick<Encoded, "ids" | "types"> {
  const unknown = tokenizer.model?.unk_token_id;
  const ids = tokens.map((token) => {
    const id = tokenizer.token_to_id(token) ?? unknown;
    if (Number.isSafeInteger(id)) return id!;
    throw new PlimsollError("data", {
      action: `looking up token ${JSON.stringify(token)}`,
      wanted: "its id, or one for unknown tokens",
      found: id === undefined ? "neither in the vocabulary" : `${JSON.stringify(id)}`,
      remedy: "Give the tokenizer.json that belongs to the model, or ids in place of text",
    });
  });
  return { ids, types };
}
