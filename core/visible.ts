/**
 * Text of strangers, as names in models are, where people read it: what would move the cursor, colour the terminal or
 * turn the direction of writing is shown as an escape instead, `\u001b`, which JSON reads as what it was.
 *
 * @module
 */

/** Controls but tab and newline, marks that turn the direction of writing, and breaks of lines that aren't newlines. */
// deno-lint-ignore no-control-regex
const INVISIBLE = /[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** A text whose lines stay lines. */
export function visible(text: string): string {
  return text.replace(
    INVISIBLE,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** A text on one line, as a name in a table or a message. */
export function visibleLine(text: string): string {
  return visible(text.replaceAll("\n", "\\n").replaceAll("\t", "\\t"));
}
