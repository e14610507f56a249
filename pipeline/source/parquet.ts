/**
 * Parquet files with image bytes, as Hugging Face stores data sets.
 *
 * @module
 */
import {
  type Compressors,
  type FileMetaData,
  parquetMetadataAsync,
  parquetReadObjects,
  parquetSchema,
  type RowGroup,
} from "hyparquet";
import { compressors } from "hyparquet-compressors";
import { PlimsollError } from "../../core/errors.ts";
import type { RawSample } from "../../core/tensor.ts";
import type { ByteSource } from "./byte_source.ts";
import { classIndex, labelOf, type LabelSource } from "./labels.ts";
import { MAX_MEMBER_BYTES, tooLarge } from "./member_samples.ts";
import type { Records, Selection } from "./sample_source.ts";

/** Names of columns, the likeliest first. */
const IMAGE_COLUMNS = ["image", "img", "jpg", "png", "webp", "bytes", "image_bytes"];
const LABEL_COLUMNS = ["label", "labels", "cls", "fine_label", "class", "target"];
/** Rows read at a time where the file has an index of its pages. */
const BLOCK_ROWS = 64;
const MAX_GROUP_BYTES = 2 ** 30;
/** Rows of a group; writers make a million at most. Each takes some bytes while its group is read. */
const MAX_GROUP_ROWS = 2 ** 22;
/** Bytes of an unpacked page; writers make pages of a megabyte, or of one image. */
const MAX_PAGE_BYTES = 2 ** 28;
const MAX_METADATA_BYTES = 2 ** 28;

/**
 * Rows with an image each: column `image` as bytes or as struct {bytes, path}, column `label` with
 * class indices. Holds the images of one row group, packed and unpacked; of some 64 rows where the
 * file has a page index.
 *
 * @param source With random access.
 * @throws {PlimsollError} kind `input`.
 */
export async function readParquet(
  source: ByteSource,
  selection: Selection,
  labels: LabelSource,
): Promise<Records> {
  const { name } = source;
  const file = { byteLength: source.byteLength!, slice: sliceOf(source) };
  const fail = (found: string, remedy: string, cause?: unknown) =>
    new PlimsollError("input", {
      action: `reading ${JSON.stringify(name)}`,
      wanted: `a parquet file with a column of image bytes (${IMAGE_COLUMNS.join(", ")})`,
      found,
      remedy,
      cause,
    });
  const again = "Get the file again; it is damaged or cut off";
  await checkFooter(file).catch((cause) => Promise.reject(fail(cause.message, again, cause)));
  // Looking for places on earth goes back and forth for ever in a schema with fewer children than none (1.31).
  const metadata = await parquetMetadataAsync(file, { geoparquet: false }).catch((cause) => {
    throw cause instanceof PlimsollError ? cause : fail((cause as Error).message, again, cause);
  });
  const columns = columnsOf(metadata);
  if (columns === undefined) throw fail("metadata that make no sense", again);
  const pick = (names: readonly string[]) => names.find((column) => columns.includes(column));
  const imageColumn = pick(IMAGE_COLUMNS);
  if (imageColumn === undefined) {
    throw fail(`columns ${columns.join(", ")}`, "Rename the column of the images");
  }
  const labelColumn = pick(LABEL_COLUMNS);
  const wanted = [imageColumn, ...labelColumn === undefined ? [] : [labelColumn]];
  const classes = labels.classes ?? classNames(metadata, labelColumn);
  const known = { ...labels, classes };
  const { file: labelFile, pattern } = labels;
  return {
    total: Number(metadata.num_rows),
    classes,
    isLabelled: [labelColumn, labelFile, pattern].some((way) => way !== undefined),
    samples: samples(),
  };

  async function* samples(): AsyncGenerator<RawSample> {
    let groupStart = 0;
    for (const group of metadata.row_groups) {
      const rows = Number(group.num_rows);
      const chunks = group.columns.filter(({ meta_data }) =>
        wanted.includes(meta_data?.path_in_schema[0] ?? "")
      );
      const size = chunks.reduce(
        (sum, { meta_data }) => sum + Number(meta_data!.total_uncompressed_size),
        0,
      );
      const hasIndex = chunks.every(({ offset_index_offset }) => offset_index_offset !== undefined);
      const block = hasIndex ? BLOCK_ROWS : rows;
      for (let from = 0; from < rows; from += block) {
        const start = groupStart + from;
        const end = groupStart + Math.min(rows, from + block);
        const indices = [];
        if (selection.isPast(start)) return;
        let values: Record<string, unknown>[] | undefined;
        try {
          if (!(rows <= MAX_GROUP_ROWS)) throw new Error(`a row group of ${rows} rows`);
          if (!(size <= MAX_GROUP_BYTES) && !hasIndex) {
            throw new Error(`a row group of ${size} bytes without page index`);
          }
          for (let index = start; index < end; index++) {
            if (selection.has(index)) indices.push(index);
          }
          if (indices.length === 0) continue;
          const range = {
            rowStart: indices[0] - groupStart,
            rowEnd: indices.at(-1)! + 1 - groupStart,
          };
          values = [];
          for (const column of wanted) {
            const read = await readColumn(group, column, { ...range, hasIndex });
            read.forEach((row, i) => values![i] = { ...values![i], [column]: row[column] });
          }
        } catch (cause) {
          const rowsAtFault = `rows ${start} to ${end - 1} that can't be read`;
          selection.onBroken(fail(`${rowsAtFault}: ${(cause as Error).message}`, again, cause));
          continue;
        }
        const first = indices[0];
        for (const index of indices) {
          const row = values[index - first];
          // Nobody needs it twice.
          delete values[index - first];
          const sample = sampleOf(row, index);
          if (sample instanceof PlimsollError) selection.onBroken(sample);
          else yield sample;
        }
      }
      groupStart += rows;
    }
  }

  /** Rows of one column of a group; one at a time, so that what fails is awaited. */
  function readColumn(
    group: RowGroup,
    column: string,
    { hasIndex, ...range }: { rowStart: number; rowEnd: number; hasIndex: boolean },
  ): Promise<Record<string, unknown>[]> {
    const columns = group.columns.filter(({ meta_data }) =>
      meta_data?.path_in_schema[0] === column
    );
    return parquetReadObjects({
      file,
      metadata: { ...metadata, row_groups: [{ ...group, columns }] },
      columns: [column],
      compressors: boundedCompressors,
      utf8: false,
      ...range,
      useOffsetIndex: hasIndex,
    });
  }

  function sampleOf(row: Record<string, unknown> | undefined, index: number) {
    const id = `${name}#${index}`;
    const value = row?.[imageColumn!];
    const { bytes, path } = value instanceof Uint8Array
      ? { bytes: value, path: undefined }
      : Object(value) as { bytes?: unknown; path?: unknown };
    if (!(bytes instanceof Uint8Array)) {
      return fail(`no bytes in row ${index}`, "Store the images in the file, not their paths");
    }
    if (bytes.length > MAX_MEMBER_BYTES) return tooLarge(id, bytes.length);
    const label = row?.[labelColumn ?? ""];
    const found = labelOf(known, typeof path === "string" ? path : undefined, index) ??
      // Hugging Face marks samples of unknown class by -1.
      (label === undefined || label === null || Number(label) === -1
        ? undefined
        : classIndex(typeof label === "bigint" ? Number(label) : label as string, classes, id));
    // A view would keep the whole page.
    const encoded = bytes.slice();
    return { index, id, encoded, ...found === undefined ? {} : { label: found } };
  }
}

/** Unpackers that refuse pages whose header says that they are huge. */
const boundedCompressors: Compressors = Object.fromEntries(
  Object.entries(compressors as Compressors).map(([codec, unpack]) => [
    codec,
    (input: Uint8Array, outputLength: number) => {
      if (!(outputLength <= MAX_PAGE_BYTES)) throw new Error(`a page of ${outputLength} bytes`);
      return unpack!(input, outputLength);
    },
  ]),
);

/**
 * Names of the columns; undefined where the metadata aren't what their types say: the library reads them as they come,
 * with fields that are missing or of another kind.
 */
function columnsOf(metadata: FileMetaData): string[] | undefined {
  try {
    const isWhole = Number.isSafeInteger(Number(metadata.num_rows)) &&
      metadata.row_groups.every(({ num_rows, columns }) =>
        Number(num_rows) >= 0 &&
        columns.every(({ meta_data }) =>
          Array.isArray(meta_data?.path_in_schema) &&
          Number(meta_data.total_uncompressed_size) >= 0 && Number(meta_data.num_values) >= 0
        )
      );
    return isWhole
      ? parquetSchema(metadata).children.map(({ element }) => element.name)
      : undefined;
  } catch {
    return undefined;
  }
}

function sliceOf({ slice, byteLength }: ByteSource) {
  return function sliceInside(start: number, end = byteLength!): Promise<ArrayBuffer> {
    const isInside = start >= 0 && end >= start && end <= byteLength!;
    const answer = isInside
      ? slice!(start, end)
      : Promise.reject(new Error(`a place outside of the file, bytes ${start} to ${end}`));
    return quiet(answer);
  };
}

/**
 * A promise whose rejection, and that of all that is made of it by `then`, needs nobody who handles it: hyparquet asks
 * for several ranges at once, and what fails meanwhile leaves the others to nobody, which ends a process (1.31).
 */
function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  const then: Promise<T>["then"] = (onDone, onFailed) =>
    quiet(Promise.prototype.then.call(promise, onDone as never, onFailed as never) as never);
  return Object.defineProperty(promise, "then", { value: then });
}

/** The length of the metadata is read before they are asked for: it may say anything. */
async function checkFooter(
  { byteLength, slice }: {
    byteLength: number;
    slice: (start: number, end?: number) => Promise<ArrayBuffer>;
  },
): Promise<void> {
  if (byteLength < 12) throw new Error("a file of a few bytes");
  const footer = new DataView(await slice(byteLength - 8, byteLength));
  if (footer.getUint32(4, true) !== 0x31524150) throw new Error("no PAR1 at its end");
  const length = footer.getUint32(0, true);
  if (length > Math.min(byteLength - 12, MAX_METADATA_BYTES)) {
    throw new Error(`metadata of ${length} bytes`);
  }
}

/** Names of the classes as the `datasets` library stores them. */
function classNames(metadata: FileMetaData, column: string | undefined): string[] | undefined {
  const text = metadata.key_value_metadata?.find(({ key }) => key === "huggingface")?.value;
  try {
    const names = JSON.parse(text ?? "null")?.info?.features?.[column ?? ""]?.names;
    return Array.isArray(names) ? names.map(String) : undefined;
  } catch {
    return undefined;
  }
}
