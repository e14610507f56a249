/**
 * Plain text: a sample a line.
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";
import { option } from "../../core/option_words.ts";
import type { RawSample } from "../../core/tensor.ts";
import { ByteReader } from "./byte_reader.ts";
import { MAX_LINE_BYTES, readLine } from "./lines.ts";
import type { Records, Selection } from "./sample_source.ts";

/** Lines of text, which a tokenizer makes numbers of. Empty lines count for nothing. Holds one line. */
export function readTextLines(
  stream: ReadableStream<Uint8Array>,
  name: string,
  selection: Selection,
): Records {
  return { samples: samples(), isLabelled: false };

  async function* samples(): AsyncGenerator<RawSample> {
    const bytes = new ByteReader(stream);
    let index = 0;
    try {
      for (let lineNumber = 1;; lineNumber++) {
        const line = await readLine(bytes);
        if (line === undefined) return;
        if (line.isEmpty) continue;
        if (selection.isPast(index)) return;
        if (selection.has(index)) {
          if (line.text === undefined) selection.onBroken(tooLong(name, lineNumber));
          else yield { index, id: `${name}:${lineNumber}`, text: { text: line.text.trim() } };
        }
        index++;
      }
    } finally {
      await bytes.cancel().catch(() => {});
    }
  }
}

function tooLong(name: string, lineNumber: number): PlimsollError {
  return new PlimsollError("input", {
    action: `reading line ${lineNumber} of ${JSON.stringify(name)}`,
    wanted: `at most ${MAX_LINE_BYTES} bytes`,
    found: "more",
    remedy: `Break the line, or leave out what is broken with ${option("onBroken", "skip")}`,
  });
}
