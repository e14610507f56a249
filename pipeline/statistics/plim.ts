/**
 * The statistics file, `.plim`, version 4. One content, one spelling: equal statistics give equal
 * bytes.
 *
 *     offset  size  content
 *     0       8     magic: 89 50 4C 49 4D 0D 0A 1A ("\x89PLIM\r\n\x1a"; a text-mode copy breaks it)
 *     8       4     version, u32 little-endian: 4
 *     12      4     H, bytes of the header, u32 little-endian
 *     16      H     header: compact JSON with sorted keys, UTF-8 (see `headerSchema`)
 *     16 + H  …     for each tensor of the header, in order, its `bytes` bytes of bins, and those of its
 *                   `heldOut` when it has one
 *     …       …     for each layer input of the header, in order, Σx of its channels, then Σx²
 *     end−32  32    SHA-256 of everything before it
 *
 * A bin has a number, the upper 17 bits of the float32, and n, Σr and Σr² of its elements, where r is the lower 15 bits
 * (design §2.1; `pack_bins.ts`). Sums of channels are in units of 2^−64 (`pack_sums.ts`). Version 3 had whole numbers in
 * place of both (`plim_3.ts`).
 *
 * @module
 */
import { parseJsonText } from "../../core/parse_json.ts";
import * as z from "zod";
import { BIN_COUNT, checkHistogramData, type HistogramData } from "../../wasm/mod.ts";
import { compactJson } from "../../core/canonical_json.ts";
import { plainBytes } from "../../core/plain_bytes.ts";
import { PlimsollError } from "../../core/errors.ts";
import { rewritesSchema } from "../../onnx/rewrites/rewrites.ts";
import type { SourceCoverage } from "./coverage.ts";
import type { Statistics } from "./statistics.ts";
import { packBins, unpackBins } from "./pack_bins.ts";
import { packSums, unpackSums } from "./pack_sums.ts";
import { readBins, readSums } from "./plim_3.ts";

const MAGIC = Uint8Array.of(0x89, 0x50, 0x4c, 0x49, 0x4d, 0x0d, 0x0a, 0x1a);
const VERSION = 4;
/** The same without `runtime`, and with bins and sums as whole numbers. */
const OLD_VERSION = 3;
const PREFIX_BYTES = 16;
const HASH_BYTES = 32;

const count = z.int().min(0);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const shape = z.array(z.int().nullable());
const elementType = z.enum(["float", "other"]);
const value = z.strictObject({ name: z.string(), type: elementType, shape: shape.optional() });
const attribute = z.union([z.number(), z.string(), z.array(z.number())]);

/** What the header says of one histogram; its bins follow in the body. */
const histogram = {
  finite: count,
  zeros: count,
  nan: count,
  positiveInfinity: count,
  negativeInfinity: count,
  min: z.number().nullable(),
  max: z.number().nullable(),
  bins: count.max(BIN_COUNT),
  bytes: count,
};

const headerSchema = z.strictObject({
  model: z.strictObject({ sha256 }),
  rewrites: rewritesSchema,
  // null in a file that was made from one of version 3.
  runtime: z.string().nullable(),
  data: z.strictObject({
    samples: count,
    skipped: count,
    sha256,
    preprocessing: sha256.nullable(),
    holdsOut: z.boolean(),
    sources: z.array(z.strictObject({
      source: z.string(),
      // Starts and ends by turns: [0, 64, 128, 192] covers 0 … 63 and 128 … 191.
      edges: z.array(count).refine(
        (edges) =>
          edges.length % 2 === 0 && edges.every((edge, i) => i === 0 || edge > edges[i - 1]),
        "edges must ascend, in pairs",
      ),
    })).refine(
      (sources) => sources.every(({ source }, i) => i === 0 || source > sources[i - 1].source),
      "sources must ascend",
    ),
  }),
  outline: z.strictObject({
    inputs: z.array(value),
    outputs: z.array(value),
    nodes: z.array(z.strictObject({
      name: z.string(),
      op: z.string(),
      domain: z.string(),
      inputs: z.array(z.string()),
      outputs: z.array(z.string()),
      attributes: z.record(z.string(), attribute),
      captures: z.array(z.string()),
      capturedConstants: z.array(z.string()).optional(),
      innerWeights: z.number().optional(),
      types: z.array(elementType).optional(),
    })),
    constants: z.record(
      z.string(),
      z.strictObject({
        type: elementType,
        shape: z.array(z.int()),
        values: z.array(z.number()).optional(),
        masks: z.literal(true).optional(),
      }),
    ),
  }),
  tensors: z.array(z.strictObject({
    tensor: z.string(),
    shape,
    ...histogram,
    heldOut: z.strictObject(histogram).optional(),
  })),
  channels: z.array(z.strictObject({
    tensor: z.string(),
    axis: z.union([z.literal(1), z.literal(-1)]),
    count,
    // null where the sums aren't known.
    channels: count.nullable(),
  })),
});

type HistogramHeader = Omit<
  z.infer<typeof headerSchema>["tensors"][number],
  "tensor" | "shape" | "heldOut"
>;

/** Serialises statistics. */
export async function writePlim(statistics: Statistics): Promise<Uint8Array<ArrayBuffer>> {
  const bodies: Uint8Array[] = [];
  const describe = (data: HistogramData) => {
    const { finite, zeros, nan, positiveInfinity, negativeInfinity, min, max, bins } = data;
    const body = packBins(data);
    bodies.push(body);
    return {
      finite,
      zeros,
      nan,
      positiveInfinity,
      negativeInfinity,
      min: finite > 0 ? min : null,
      max: finite > 0 ? max : null,
      bins: bins.length,
      bytes: body.length,
    };
  };
  const header = new TextEncoder().encode(compactJson({
    model: statistics.model,
    rewrites: statistics.rewrites,
    runtime: statistics.runtime,
    data: {
      ...statistics.data,
      sources: statistics.data.sources.map(({ source, ranges }) => ({
        source,
        edges: ranges.flat(),
      })),
    },
    outline: statistics.outline,
    tensors: statistics.tensors.map(({ tensor, shape, histogram, heldOut }) => ({
      tensor,
      shape,
      ...describe(histogram),
      ...(heldOut === undefined ? {} : { heldOut: describe(heldOut) }),
    })),
    channels: statistics.channels.map(({ tensor, axis, count, sums, squares }) => {
      bodies.push(packSums(sums ?? []), packSums(squares ?? []));
      return { tensor, axis, count, channels: sums?.length ?? null };
    }),
  }));
  const size = bodies.reduce(
    (sum, body) => sum + body.length,
    PREFIX_BYTES + header.length + HASH_BYTES,
  );
  const file = new Uint8Array(size);
  file.set(MAGIC);
  const view = new DataView(file.buffer);
  view.setUint32(8, VERSION, true);
  view.setUint32(12, header.length, true);
  let offset = PREFIX_BYTES;
  for (const part of [header, ...bodies]) {
    file.set(part, offset);
    offset += part.length;
  }
  file.set(await hash(file.subarray(0, offset)), offset);
  return file;
}

/**
 * Reads a statistics file and checks everything in it.
 *
 * @param name How error messages call the file.
 * @throws {PlimsollError} kind `input` for anything that {@linkcode writePlim} would not have written.
 */
export async function readPlim(file: Uint8Array, name: string): Promise<Statistics> {
  file = plainBytes(file);
  const fail = (found: string, cause?: unknown) =>
    new PlimsollError("input", {
      action: `reading statistics ${JSON.stringify(name)}`,
      wanted: `a whole statistics file (.plim) of version ${VERSION}`,
      found,
      remedy: "Make it again with `calibrate`",
      cause,
    });
  if (MAGIC.some((byte, i) => file[i] !== byte)) throw fail("another kind of file");
  if (file.length < PREFIX_BYTES + HASH_BYTES) throw fail(`only ${file.length} bytes`);
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const version = view.getUint32(8, true);
  if (version !== VERSION && version !== OLD_VERSION) throw fail(`version ${version}`);
  const end = file.length - HASH_BYTES;
  const actual = await hash(file.subarray(0, end));
  if (actual.some((byte, i) => byte !== file[end + i])) {
    throw fail("a wrong checksum: damaged or cut off");
  }
  const headerEnd = PREFIX_BYTES + view.getUint32(12, true);
  if (headerEnd > end) throw fail("a header longer than the file");
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(
      file.subarray(PREFIX_BYTES, headerEnd),
    );
    const json = parseJsonText(text);
    const { tensors, channels, data, ...rest } = headerSchema.parse(
      version === OLD_VERSION ? { ...json as object, runtime: null } : json,
    );
    let offset = headerEnd;
    const readHistogram = (
      { bins, bytes, min, max, ...counts }: HistogramHeader,
    ): HistogramData => {
      if (offset + bytes > end) throw new RangeError("bins that end behind the file");
      const body = file.subarray(offset, offset += bytes);
      const table = version === OLD_VERSION ? readBins(body, bins) : unpackBins(body, bins);
      const data = { ...counts, min: min ?? NaN, max: max ?? NaN, ...table };
      checkHistogramData(data);
      return data;
    };
    const read = tensors.map(({ tensor, shape, heldOut, ...all }) => ({
      tensor,
      shape,
      histogram: readHistogram(all),
      ...(heldOut === undefined ? {} : { heldOut: readHistogram(heldOut) }),
    }));
    const readList = (count: number | null) => {
      if (count === null) return null;
      const from = file.subarray(offset, end);
      const { sums, size } = version === OLD_VERSION
        ? readSums(from, count)
        : unpackSums(from, count);
      offset += size;
      return sums;
    };
    const readChannels = channels.map(({ channels: length, ...layer }) => ({
      ...layer,
      sums: readList(length),
      squares: readList(length),
    }));
    if (readChannels.some(({ squares }) => squares?.some((sum) => sum < 0n))) {
      throw new RangeError("a negative sum of squares");
    }
    if (offset !== end) throw new RangeError(`${end - offset} bytes after the last sum`);
    return {
      ...rest,
      data: { ...data, sources: data.sources.map(readCoverage) },
      tensors: read,
      channels: readChannels,
    };
  } catch (cause) {
    throw fail(`contents that make no sense (${(cause as Error).message})`, cause);
  }
}

function readCoverage({ source, edges }: { source: string; edges: number[] }): SourceCoverage {
  const ranges = Array.from({ length: edges.length / 2 }, (_, i): [number, number] => [
    edges[2 * i],
    edges[2 * i + 1],
  ]);
  return { source, ranges };
}

async function hash(bytes: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes as BufferSource));
}
