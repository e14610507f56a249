/**
 * Newline-delimited JSON: a sample a line.
 *
 * @module
 */
import { parseJsonText } from "../../core/parse_json.ts";
import * as z from "zod";
import { PlimsollError } from "../../core/errors.ts";
import { option } from "../../core/option_words.ts";
import { elementCount } from "../../onnx/file/tensor.ts";
import type { InputTensor, RawSample, SampleInput } from "../../core/tensor.ts";
import { ByteReader } from "./byte_reader.ts";
import { MAX_LINE_BYTES, readLine } from "./lines.ts";
import type { Records, Selection } from "./sample_source.ts";

/** A tensor as base64 of its little-endian bytes, or as a flat list. */
const packedSchema = z.strictObject({
  data: z.union([z.string(), z.array(z.number())]),
  dims: z.array(z.int().min(0)),
  type: z.enum(["float32", "int32", "int64", "uint8", "bool"]).default("float32"),
});

const lineSchema = z.object({
  input: z.unknown().optional(),
  text: z.string().optional(),
  text_pair: z.string().optional(),
  label: z.int().min(0).optional(),
});

/**
 * Lines `{"input": …, "label": n}`. The input is nested lists of numbers, whose shape shows (float32),
 * `{"data": base64 or list, "dims": […], "type": "float32"}`, or one of both for each input by name.
 * Or `{"text": "…", "text_pair": "…", "label": n}`, the second text and the label being optional.
 * Empty lines count for nothing. Holds one line.
 */
export function readNdjson(
  stream: ReadableStream<Uint8Array>,
  name: string,
  selection: Selection,
): Records {
  return { samples: samples() };

  async function* samples(): AsyncGenerator<RawSample> {
    const bytes = new ByteReader(stream);
    let index = 0;
    let lineNumber = 0;
    try {
      while (true) {
        const line = await readLine(bytes);
        if (line === undefined) return;
        lineNumber++;
        if (line.isEmpty) continue;
        if (selection.isPast(index)) return;
        if (selection.has(index)) {
          const sample = parse(line.text, name, lineNumber);
          if (sample instanceof PlimsollError) selection.onBroken(sample);
          else yield { index, id: `${name}:${lineNumber}`, ...sample };
        }
        index++;
      }
    } finally {
      await bytes.cancel().catch(() => {});
    }
  }
}

function parse(
  text: string | undefined,
  name: string,
  lineNumber: number,
): Pick<RawSample, "input" | "text" | "label"> | PlimsollError {
  try {
    if (text === undefined) throw new Error(`more than ${MAX_LINE_BYTES} bytes`);
    const result = lineSchema.safeParse(parseJsonText(text));
    if (!result.success) throw new Error(z.prettifyError(result.error).replaceAll("\n", " "));
    const { label, ...content } = result.data;
    return { ...contentOf(content), ...label === undefined ? {} : { label } };
  } catch (cause) {
    return new PlimsollError("input", {
      action: `reading line ${lineNumber} of ${JSON.stringify(name)}`,
      wanted: '{"input": [[…]] or {"name": [[…]]}, "label": n}, or {"text": "…", "label": n}',
      found: (cause as Error).message,
      remedy: `Correct the line, or leave out what is broken with ${option("onBroken", "skip")}`,
      cause,
    });
  }
}

/** Numbers or text, whichever a line has. */
function contentOf(
  { input, text, text_pair: pair }: Omit<z.infer<typeof lineSchema>, "label">,
): Pick<RawSample, "input" | "text"> {
  if (input !== undefined) {
    if (text !== undefined) throw new Error("both input and text");
    return { input: inputOf(input) };
  }
  if (text === undefined) throw new Error("neither input nor text");
  return { text: { text, ...pair === undefined ? {} : { pair } } };
}

function inputOf(value: unknown): SampleInput {
  if (isTensorLike(value)) return tensorOf(value);
  if (typeof value !== "object" || value === null) throw new Error("an input without numbers");
  const entries = Object.entries(value);
  if (entries.length === 0) throw new Error("no input");
  return Object.fromEntries(entries.map(([name, tensor]) => {
    if (!isTensorLike(tensor)) throw new Error(`no numbers for input ${JSON.stringify(name)}`);
    return [name, tensorOf(tensor)];
  }));
}

function isTensorLike(value: unknown): boolean {
  return typeof value === "number" || Array.isArray(value) ||
    typeof value === "object" && value !== null && "data" in value && "dims" in value;
}

function tensorOf(value: unknown): InputTensor {
  if (typeof value === "number" || Array.isArray(value)) return nested(value);
  const { data, dims, type } = packedSchema.parse(value);
  const values = typeof data === "string" ? fromBase64(data, type) : fromList(data, type);
  const wanted = elementCount(dims);
  if (values.length !== wanted) {
    throw new Error(`${values.length} values for shape [${dims}]`);
  }
  return { data: values, dims };
}

/** Nested lists, their shape read from the first ones. */
function nested(value: unknown): InputTensor {
  const dims: number[] = [];
  for (let at = value; Array.isArray(at); at = at[0]) dims.push(at.length);
  const data = new Float32Array(elementCount(dims));
  let filled = 0;
  const fill = (at: unknown, depth: number) => {
    if (depth === dims.length) {
      if (typeof at !== "number") throw new Error(`${JSON.stringify(at)} where a number belongs`);
      data[filled++] = at;
      return;
    }
    if (!Array.isArray(at) || at.length !== dims[depth]) {
      throw new Error(`lists of different lengths, the first ones of shape [${dims}]`);
    }
    for (const item of at) fill(item, depth + 1);
  };
  fill(value, 0);
  return { data, dims };
}

type PackedType = z.infer<typeof packedSchema>["type"];

function fromBase64(text: string, type: PackedType): InputTensor["data"] {
  const { buffer } = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  if (type === "float32") return new Float32Array(buffer);
  if (type === "int32") return new Int32Array(buffer);
  if (type === "int64") return new BigInt64Array(buffer);
  return new Uint8Array(buffer);
}

function fromList(values: readonly number[], type: PackedType): InputTensor["data"] {
  if (type === "float32") return Float32Array.from(values);
  if (type === "int32") return Int32Array.from(values);
  if (type === "int64") return BigInt64Array.from(values, BigInt);
  return Uint8Array.from(values);
}
