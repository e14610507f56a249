/**
 * The one error class of the project. It lies at the bottom of the folder graph, so that every
 * layer above can throw it.
 *
 * @module
 */
import { optionsIn, type OptionWording, wordOptions } from "./option_words.ts";

/** What went wrong, for callers that react to it. */
export type ErrorKind =
  /** The command or an option makes no sense: exit code 2. */
  | "usage"
  /** A file or stream is missing, unreadable, damaged or of the wrong kind. */
  | "input"
  /** The model is valid but can't be handled. */
  | "model"
  /** A target or manifest says something that can't be. */
  | "target"
  /** Calibration data don't fit the model, or produce NaN or infinity. */
  | "data"
  /** The inference runtime refused. */
  | "runtime"
  /** A result can't be written. */
  | "output";

/** The four parts of an error message; see {@linkcode PlimsollError}. */
export interface ErrorParts {
  /** What was being done, as a clause after "while": `reading "x.onnx"`. */
  readonly action: string;
  /** What was needed for it. */
  readonly wanted: string;
  /** What was there instead. */
  readonly found: string;
  /** What the reader can do about it: an imperative sentence without the full stop; options by `option()`. */
  readonly remedy: string;
  /** The error behind this one. */
  readonly cause?: unknown;
}

/**
 * An error that the user can act on: what was being done, what was wanted, what was found, what to
 * do next. Anything else that is thrown is a defect of this program.
 *
 * @example A message from its parts
 * ```ts
 * import { PlimsollError } from "./errors.ts";
 * import assert from "node:assert/strict";
 *
 * const error = new PlimsollError("input", {
 *   action: 'reading "a.onnx"',
 *   wanted: "an ONNX model",
 *   found: "an empty file",
 *   remedy: "Export the model again",
 * });
 * assert.equal(
 *   error.message,
 *   'While reading "a.onnx": wanted an ONNX model, found an empty file. Export the model again.',
 * );
 * ```
 */
export class PlimsollError extends Error {
  /** Kind of failure. */
  readonly kind: ErrorKind;
  /** The parts of the message. */
  readonly parts: ErrorParts;

  /** Builds the message from `parts`. */
  constructor(kind: ErrorKind, parts: ErrorParts) {
    super(
      sentence(parts),
      parts.cause === undefined ? undefined : { cause: parts.cause },
    );
    this.name = "PlimsollError";
    this.kind = kind;
    this.parts = parts;
  }

  /** Keys of the options that help, as the remedy names them. */
  get options(): string[] {
    return optionsIn(this.parts.remedy);
  }

  /** The message with options as a host writes them; `message` has them as programs do. */
  messageIn(wording: OptionWording): string {
    return sentence(this.parts, wording);
  }
}

function sentence(parts: ErrorParts, wording?: OptionWording): string {
  const [action, wanted, found] = [parts.action, parts.wanted, parts.found].map(shortened);
  // What others say often ends with a full stop of its own.
  const seen = found.replace(/\.$/, "");
  return wordOptions(`While ${action}: wanted ${wanted}, found ${seen}. ${parts.remedy}.`, wording);
}

/** Characters of a part that are read, if at all: files can have names and values of megabytes. */
const MAX_PART = 2000;

function shortened(text: string): string {
  return text.length <= MAX_PART
    ? text
    : `${text.slice(0, MAX_PART)} … (${text.length} characters)`;
}
