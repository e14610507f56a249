/**
 * Values of options: text to what is meant, or a sentence that says what to give.
 *
 * @module
 */
import { InvalidArgumentError } from "commander";

/** Parses an integer of at least 1. */
export function positiveInteger(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) {
    throw new InvalidArgumentError("Give an integer of at least 1.");
  }
  return value;
}

/** A port, or 0 for any that is free. */
export function portNumber(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isInteger(value) && value >= 0 && value < 65536) return value;
  throw new InvalidArgumentError("Give 0 to 65535.");
}

/** Any number but NaN and infinities. */
export function finiteNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) {
    throw new InvalidArgumentError("Give a number.");
  }
  return value;
}

/** A path; an empty one would be the root of the file system. */
export function folder(text: string): string {
  if (text !== "") return text;
  throw new InvalidArgumentError("Give a folder.");
}

/** Sizes of axes, as 3x224x224. */
export function shape(text: string): number[] {
  const dims = text.split(/[x×,]/).map(Number);
  if (dims.every((size) => Number.isSafeInteger(size) && size > 0)) return dims;
  throw new InvalidArgumentError("Give sizes, such as 3x224x224.");
}

/** A regular expression with a group. */
export function labelPattern(text: string): RegExp {
  try {
    // The empty alternative always fits, and shows how many groups there are.
    const groups = new RegExp(`${text}|`, "u").exec("")!.length - 1;
    if (groups > 0) return new RegExp(text, "u");
  } catch (cause) {
    throw new InvalidArgumentError(`Give a regular expression: ${(cause as Error).message}.`);
  }
  throw new InvalidArgumentError("Give an expression with a group, such as '^(\\d+)_'.");
}

/** Numbers with commas between them. */
export function numberList(text: string): number[] {
  return text.split(",").map(finiteNumber);
}
