/**
 * From a path, an address or standard input to a stream of raw samples with their labels.
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";
import { option } from "../../core/option_words.ts";
import type { Reader } from "../../core/host.ts";
import type { RawSample } from "../../core/tensor.ts";
import { ByteReader } from "./byte_reader.ts";
import { type ByteSource, identityOf, isUrl, openBytes } from "./byte_source.ts";
import { folderIdentity, readFolder } from "./folder.ts";
import { detectFormat, type Format } from "./format.ts";
import { gunzipIfNeeded } from "./gunzip.ts";
import { type IdxItems, readIdx } from "./idx.ts";
import { labelOf, type LabelSource } from "./labels.ts";
import { folderClasses, isSampleName, memberSamples } from "./member_samples.ts";
import { readNdjson } from "./ndjson.ts";
import { readNpy } from "./npy.ts";
import { readNpz } from "./npz.ts";
import { readParquet } from "./parquet.ts";
import { readRaw } from "./raw.ts";
import {
  pullStream,
  type Records,
  type SampleSource,
  Selection,
  type SelectionOptions,
} from "./sample_source.ts";
import { tarMembers } from "./tar.ts";
import { readTextLines } from "./text_lines.ts";
import { streamedZipMembers, zipMembers } from "./zip.ts";

/** Options of {@linkcode openSamples}. */
export interface OpenSamplesOptions extends SelectionOptions {
  /** What the data are, when neither name nor first bytes say it. */
  readonly format?: Format;
  /** Shape of a sample of raw float32 values. */
  readonly inputShape?: readonly number[];
  /** Where labels come from besides the container. */
  readonly labels?: LabelSource;
  /** Told what the user should know, such as files that were ignored. */
  readonly onNote?: (text: string) => void;
}

/** Options with their defaults. */
interface Settings extends OpenSamplesOptions {
  readonly labels: LabelSource;
  readonly selection: Selection;
}

/** Bytes of the beginning of decompressed data, to tell what they are. */
const SNIFF_BYTES = 512;

/**
 * Opens a data set: a folder of images, a file, `http(s)://…`, or `-` for standard input. Formats are
 * those of {@linkcode Format}, plain or gzip. No container is held as a whole: see the readers of
 * the formats for what each holds.
 *
 * @throws {PlimsollError} kind `input` or `data`.
 */
export async function openSamples(
  reader: Reader,
  path: string,
  options: OpenSamplesOptions = {},
): Promise<SampleSource> {
  const settings = settle(options);
  const { selection } = settings;
  const files = path === "-" || isUrl(path) ? undefined : await reader.listFiles(path);
  if (files !== undefined) {
    const records = readFolder(reader, path, files, { ...settings, name: path });
    return source(records, await folderIdentity(files), selection, () => Promise.resolve());
  }
  return await readSource(await openBytes(reader, path), settings, reader);
}

/**
 * Opens a data set whose bytes come by themselves. What belongs to it and lies beside a file, as labels do, is not
 * looked for. npz and Parquet, which are read by ranges, need a `slice`.
 *
 * @throws {PlimsollError} kind `input` or `data`.
 */
export async function openSampleStream(
  bytes: ByteSource,
  options: OpenSamplesOptions = {},
): Promise<SampleSource> {
  return await readSource(bytes, settle(options));
}

function settle(options: OpenSamplesOptions): Settings {
  let isNoted = false;
  // Calibration needs no labels, so that one missing can't stop it.
  const onUnlabelled = (error: PlimsollError) => {
    if (!isNoted) options.onNote?.(`unlabelled samples; the first one: ${error.message}`);
    isNoted = true;
  };
  const labels = { onUnlabelled, ...options.labels };
  return { ...options, selection: new Selection(options), labels };
}

async function readSource(
  bytes: ByteSource,
  settings: Settings,
  reader?: Reader,
): Promise<SampleSource> {
  try {
    const { format, stream } = await recognize(bytes, settings);
    const records = await readRecords(format, stream, bytes, settings, reader);
    const { inputShape } = settings;
    const kind = format === "raw" ? `raw ${inputShape?.join("x")}` : format;
    return source(records, await identityOf(bytes, kind), settings.selection, bytes.cancel);
  } catch (error) {
    await bytes.cancel(error);
    throw error;
  }
}

function source(
  { total, samples, isLabelled, classes, close }: Records,
  identity: string,
  selection: Selection,
  cancel: (reason: unknown) => Promise<void>,
): SampleSource {
  const stream = pullStream(samples, async (reason) => {
    await Promise.all([cancel(reason), close?.()]);
  });
  return { count: selection.countOf(total), isLabelled, classes, identity, samples: stream };
}

type ByteStream = ReadableStream<Uint8Array<ArrayBuffer>>;

/** Looks at the first bytes, those behind gzip when it is. */
async function recognize(
  bytes: ByteSource,
  { format: asked, inputShape }: Settings,
): Promise<{ format: Format; stream: ByteStream }> {
  const hints = { name: bytes.name, path: bytes.path, asked, hasShape: inputShape !== undefined };
  const isPacked = bytes.head[0] === 0x1f && bytes.head[1] === 0x8b;
  if (!isPacked) {
    return { format: detectFormat({ ...hints, head: bytes.head }), stream: bytes.stream() };
  }
  const reader = new ByteReader(await gunzipIfNeeded(bytes.stream()));
  try {
    const head = await reader.read(SNIFF_BYTES);
    const format = detectFormat({ ...hints, head });
    reader.unread(head);
    const stream: ByteStream = new ReadableStream({
      pull: async (controller) => {
        const chunk = await reader.readSome();
        if (chunk === undefined) controller.close();
        else controller.enqueue(chunk as Uint8Array<ArrayBuffer>);
      },
      cancel: (reason) => reader.cancel(reason),
    }, { highWaterMark: 0 });
    return { format, stream };
  } catch (cause) {
    await reader.cancel(cause).catch(() => {});
    if (cause instanceof PlimsollError) throw cause;
    throw new PlimsollError("input", {
      action: `opening ${JSON.stringify(bytes.name)}`,
      wanted: "gzip data",
      found: (cause as Error).message,
      remedy: "Get the file again; it is damaged",
      cause,
    });
  }
}

async function readRecords(
  format: Format,
  stream: ByteStream,
  bytes: ByteSource,
  settings: Settings,
  reader: Reader | undefined,
): Promise<Records> {
  const { name } = bytes;
  const { selection, labels, inputShape } = settings;
  // The compiler asks for each format.
  switch (format) {
    case "tar": {
      const { classes, folderClass } = folderClasses(undefined, labels.classes);
      const samples = memberSamples(tarMembers(stream, name), { ...settings, name, folderClass });
      return { classes, samples };
    }
    case "zip":
      return await readZip(bytes, stream, settings);
    case "npy":
      return positional(await readNpy(stream, name, selection), labels);
    case "npz":
      return positional(
        await readNpz(await randomAccess(bytes, stream, format), selection),
        labels,
      );
    case "parquet":
      return await readParquet(await randomAccess(bytes, stream, format), selection, labels);
    case "idx":
      return positional(await readIdxImages(reader, stream, bytes, settings), labels);
    case "ndjson":
      return positional(readNdjson(stream, name, selection), labels);
    case "text":
      return positional(readTextLines(stream, name, selection), labels);
    case "raw": {
      if (inputShape === undefined) throw noShape(name);
      // Compressed, its size says nothing.
      const isPlain = bytes.head[0] !== 0x1f || bytes.head[1] !== 0x8b;
      const byteLength = isPlain ? bytes.byteLength : undefined;
      return positional(
        readRaw(stream, { name, shape: inputShape, byteLength, selection }),
        labels,
      );
    }
  }
}

/** Labels by position take the place of those in the container. */
function positional(records: Records, labels: LabelSource): Records {
  if (labels.file === undefined && labels.pattern === undefined) {
    return { ...records, classes: records.classes ?? labels.classes };
  }
  return { ...records, classes: labels.classes, isLabelled: true, samples: labelled() };

  async function* labelled(): AsyncGenerator<RawSample> {
    for await (const sample of records.samples) {
      const { label: contained, ...rest } = sample;
      const label = labelOf(labels, undefined, sample.index) ?? contained;
      yield label === undefined ? rest : { ...rest, label };
    }
  }
}

async function readZip(
  bytes: ByteSource,
  stream: ByteStream,
  settings: Settings,
): Promise<Records> {
  const { name, slice, head } = bytes;
  const { labels, inputShape } = settings;
  const isPacked = head[0] === 0x1f;
  if (slice === undefined || isPacked) {
    const { classes, folderClass } = folderClasses(undefined, labels.classes);
    const members = streamedZipMembers(stream, name);
    return { classes, samples: memberSamples(members, { ...settings, name, folderClass }) };
  }
  await stream.cancel();
  const paths: string[] = [];
  let hasSidecars = false;
  for await (const { path } of zipMembers(bytes)) {
    if (isSampleName(path, inputShape)) paths.push(path);
    hasSidecars ||= path.endsWith(".cls");
  }
  const { classes, folderClass } = folderClasses(paths, labels.classes);
  return {
    classes,
    total: paths.length,
    isLabelled: hasSidecars ||
      [labels.file, labels.pattern, folderClass].some((way) => way !== undefined),
    samples: memberSamples(zipMembers(bytes), {
      ...settings,
      name,
      folderClass,
      labels: { ...labels, classes },
    }),
  };
}

/** Lets the stream go: the format is read by ranges. */
async function randomAccess(
  bytes: ByteSource,
  stream: ByteStream,
  format: Format,
): Promise<ByteSource> {
  if (bytes.slice !== undefined && bytes.head[0] !== 0x1f) {
    // Of the source's own cancel the ranges would end, too.
    await stream.cancel();
    return bytes;
  }
  throw new PlimsollError("input", {
    action: `opening ${JSON.stringify(bytes.name)}`,
    wanted: `a place to read the parts of ${
      /^n/.test(format) ? "an" : "a"
    } ${format} file from: a file, or a server that knows Range`,
    found: bytes.slice === undefined ? "a stream" : "gzip around it",
    remedy: "Save it as a file first",
  });
}

/**
 * Images of an IDX file. Labels are taken from the file beside it that has `labels-idx1` in its name
 * where this one has `images-idx3`, as the MNIST family has it. Holds one image.
 */
async function readIdxImages(
  reader: Reader | undefined,
  stream: ByteStream,
  { name }: ByteSource,
  { selection, onNote }: Settings,
): Promise<Records> {
  const images = await readIdx(stream, name);
  const labelPath = name.replace(/images([-.])idx3/, "labels$1idx1");
  const labels = labelPath === name || reader === undefined
    ? undefined
    : await openLabels(reader, labelPath, onNote);
  const [height, width, channels = 1] = images.shape;
  const mismatch = height === undefined || width === undefined
    ? `items of shape [${images.shape}]`
    : labels !== undefined && labels.count !== images.count
    ? `${labels.count} labels in ${JSON.stringify(labelPath)} for ${images.count} images`
    : undefined;
  if (mismatch !== undefined) {
    await Promise.all([images.items.cancel(), labels?.items.cancel()]);
    throw new PlimsollError("data", {
      action: `opening ${JSON.stringify(name)}`,
      wanted: "images with height and width, and one label each if any",
      found: mismatch,
      remedy: "Give the image file, with the label file that belongs to it beside it",
    });
  }
  const close = async () => void await labels?.items.cancel().catch(() => {});
  return { total: images.count, isLabelled: labels !== undefined, samples: samples(), close };

  async function* samples(): AsyncGenerator<RawSample> {
    const imageReader = images.items.getReader();
    const labelReader = labels?.items.getReader();
    try {
      for (let index = 0; index < images.count && !selection.isPast(index); index++) {
        const [image, label] = await Promise.all([imageReader.read(), labelReader?.read()]);
        if (!selection.has(index)) continue;
        yield {
          index,
          id: `${name}#${index}`,
          image: { pixels: image.value!, height: height!, width: width!, channels },
          ...label === undefined ? {} : { label: label.value![0] },
        };
      }
    } catch (error) {
      if (!(error instanceof PlimsollError)) throw error;
      selection.onBroken(error);
    } finally {
      await Promise.all([
        imageReader.cancel().catch(() => {}),
        labelReader?.cancel().catch(() => {}),
      ]);
    }
  }
}

async function openLabels(
  reader: Reader,
  path: string,
  onNote: OpenSamplesOptions["onNote"],
): Promise<IdxItems | undefined> {
  if (!isUrl(path) && !await reader.fileExists(path)) return undefined;
  try {
    const bytes = await openBytes(reader, path);
    return await readIdx(await gunzipIfNeeded(bytes.stream()), path);
  } catch (error) {
    if (!isUrl(path) || !(error instanceof PlimsollError)) throw error;
    onNote?.(`no labels at ${path}: ${error.parts.found}`);
    return undefined;
  }
}

function noShape(name: string): PlimsollError {
  return new PlimsollError("usage", {
    action: `opening ${JSON.stringify(name)}`,
    wanted: "the shape of a sample of raw float32 values",
    found: "none",
    remedy: `Give it with ${option("inputShape")}, such as 3x224x224`,
  });
}
