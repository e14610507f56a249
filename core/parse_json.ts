/**
 * JSON that others wrote.
 *
 * @module
 */
import { PlimsollError } from "./errors.ts";

/** Lists and objects inside each other: a tenth of it is written by people, a thousand times as much ends the stack of who follows it. */
const MAX_DEPTH = 100;

/**
 * Parses the text of a file.
 *
 * @param path How the message calls the file.
 * @throws {PlimsollError} kind `input` when it isn't JSON.
 */
export function parseJson(text: string, path: string): unknown {
  try {
    return parseJsonText(text);
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

/**
 * Parses a text, for whoever words the error.
 *
 * @throws {SyntaxError} When it isn't JSON, or is nested so deeply that nobody could follow it.
 */
export function parseJsonText(text: string): unknown {
  const value = JSON.parse(text);
  if (isDeep(text)) {
    throw new SyntaxError(`more than ${MAX_DEPTH} lists or objects inside each other`);
  }
  return value;
}

/** Whether valid JSON is nested too deeply. */
function isDeep(text: string): boolean {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    switch (text[at]) {
      case '"':
        for (at++; text[at] !== '"'; at++) if (text[at] === "\\") at++;
        break;
      case "[":
      case "{":
        if (++depth > MAX_DEPTH) return true;
        break;
      case "]":
      case "}":
        depth--;
    }
  }
  return false;
}
