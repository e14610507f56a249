/**
 * JSON that people wrote.
 *
 * @module
 */
import { PlimsollError } from "./errors.ts";

/**
 * Parses the text of a file.
 *
 * @param path How the message calls the file.
 * @throws {PlimsollError} kind `input` when it isn't JSON.
 */
export function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new PlimsollError("input", {
      action: `reading ${JSON.stringify(path)}`,
      wanted: "JSON",
      found: (cause as Error).message,
      remedy: "Correct the file",
      cause,
    });
  }
}
