/**
 * Options in sentences. A message says which option helps, and each host words it: nobody who calls a function reads
 * `--batch`.
 *
 * @module
 */

/** How a host writes an option, with a value or without. */
export type OptionWording = (key: string, value?: string) => string;

const [OPEN, CLOSE] = ["\u27e6", "\u27e7"];
const MARK = new RegExp(`${OPEN}([A-Za-z]+)(?:=([^${CLOSE}]*))?${CLOSE}`, "gu");

/**
 * An option within a sentence, by its key as programs write it: `batch`, `weightBits`.
 *
 * @example
 * ```ts
 * import { commandLineWording, option, wordOptions } from "./option_words.ts";
 * import assert from "node:assert/strict";
 *
 * const text = `Try a smaller ${option("batch")}, or ${option("onNonfinite", "skip")}`;
 * assert.equal(wordOptions(text), "Try a smaller option `batch`, or option `onNonfinite: skip`");
 * assert.equal(wordOptions(text, commandLineWording), "Try a smaller --batch, or --on-nonfinite skip");
 * ```
 */
export function option(key: string, value?: string | number): string {
  return `${OPEN}${key}${value === undefined ? "" : `=${value}`}${CLOSE}`;
}

/** The sentence with its options as a host writes them; by default as a program does. */
export function wordOptions(text: string, wording: OptionWording = libraryWording): string {
  return text.replace(MARK, (_, key: string, value?: string) => wording(key, value));
}

/** Keys of the options that a sentence names. */
export function optionsIn(text: string): string[] {
  return [...text.matchAll(MARK)].map(([, key]) => key);
}

/** As programs write them. */
export const libraryWording: OptionWording = (key, value) =>
  `option \`${key}${value === undefined ? "" : `: ${value}`}\``;

/** As command lines write them: `--weight-bits 4`. */
export const commandLineWording: OptionWording = (key, value) =>
  `--${optionName(key)}${value === undefined ? "" : ` ${value}`}`;

/** As requests write them: `weight-bits=4`. */
export const requestWording: OptionWording = (key, value) =>
  `option ${optionName(key)}${value === undefined ? "" : `=${value}`}`;

/** Name of an option in a request and on a command line: `weight-bits`. */
export function optionName(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
