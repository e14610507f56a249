/**
 * Lines of bytes that come piece by piece.
 *
 * @module
 */
import type { ByteReader } from "./byte_reader.ts";

/** Longer lines aren't kept. */
export const MAX_LINE_BYTES = 2 ** 28;

/** A line without its end. */
export interface Line {
  /** Whether nothing but space is in it. */
  readonly isEmpty: boolean;
  /** Undefined when it is too long. */
  readonly text?: string;
}

/** The next line without its end; undefined behind the last one. What is too long isn't kept. */
export async function readLine(bytes: ByteReader): Promise<Line | undefined> {
  const decoder = new TextDecoder();
  let length = 0;
  let text = "";
  while (true) {
    const chunk = await bytes.readSome();
    if (chunk === undefined && length === 0) return undefined;
    const end = chunk?.indexOf(10) ?? 0;
    const part = chunk?.subarray(0, end < 0 ? chunk.length : end);
    length += end < 0 ? chunk!.length : end + 1;
    if (length <= MAX_LINE_BYTES) text += decoder.decode(part, { stream: end < 0 });
    else text = "x";
    if (end < 0) continue;
    if (chunk !== undefined && end + 1 < chunk.length) bytes.unread(chunk.subarray(end + 1));
    const isEmpty = text.trim() === "";
    return length <= MAX_LINE_BYTES ? { isEmpty, text } : { isEmpty };
  }
}
