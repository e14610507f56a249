/**
 * NumPy's .npy: one array, whose first axis counts the samples
 * (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html).
 *
 * @module
 */
import { own } from "../../core/own.ts";
import { PlimsollError } from "../../core/errors.ts";
import { elementCount } from "../../onnx/file/tensor.ts";
import type { InputTensor, PixelImage, RawSample } from "../../core/tensor.ts";
import { ByteReader } from "./byte_reader.ts";
import type { Records, Selection } from "./sample_source.ts";

/** An array in a stream, its header read. */
export interface NpyArray {
  /** Size of the first axis; absent for a single number. */
  readonly count?: number;
  /** The other axes. */
  readonly shape: readonly number[];
  /** Bytes of one item. */
  readonly itemBytes: number;
  /** Whether the elements are unsigned bytes, as those of pixels. */
  readonly isBytes: boolean;
  /** Bytes of one item to values: float32, int32, int64, or booleans and bytes as they are. */
  readonly decode: (item: Uint8Array<ArrayBuffer>) => InputTensor["data"];
}

const MAX_HEADER_BYTES = 1 << 20;
const MAX_ITEM_BYTES = 2 ** 28;

/** Samples of an .npy file. Holds one. */
export async function readNpy(
  stream: ReadableStream<Uint8Array>,
  name: string,
  selection: Selection,
): Promise<Records> {
  const bytes = new ByteReader(stream);
  const array = await readNpyHeader(bytes, name).catch(async (error) => {
    await bytes.cancel(error).catch(() => {});
    throw error;
  });
  const { count = 0 } = array;
  if (count === 0 || array.itemBytes === 0) {
    const found = array.count === undefined ? "a single number" : "an array without elements";
    await bytes.cancel().catch(() => {});
    throw unreadable(name, found, "Save an array with an axis of samples, and some of them");
  }
  return { total: count, isLabelled: false, samples: samples() };

  async function* samples(): AsyncGenerator<RawSample> {
    try {
      for (let index = 0; index < count && !selection.isPast(index); index++) {
        const item = await readItem(bytes, array, selection.has(index)).catch((cause) =>
          cutOff(name, index, cause)
        );
        if (item instanceof PlimsollError) return selection.onBroken(item);
        if (item.length === 0) continue;
        yield { index, id: `${name}#${index}`, ...contentOf(array, item) };
      }
    } finally {
      await bytes.cancel().catch(() => {});
    }
  }
}

/**
 * The next item, or nothing when it isn't wanted.
 *
 * @throws {Error} where the data end before.
 */
export async function readItem(
  bytes: ByteReader,
  { itemBytes }: NpyArray,
  isWanted: boolean,
): Promise<Uint8Array<ArrayBuffer>> {
  const item = isWanted ? await bytes.read(itemBytes) : new Uint8Array(0);
  const length = isWanted ? item.length : await bytes.skip(itemBytes);
  if (length < itemBytes) throw new Error("the data end");
  return item;
}

/** The error about an array that ends before its header says. */
export function cutOff(name: string, index: number, cause: unknown): PlimsollError {
  return new PlimsollError("input", {
    action: `reading ${JSON.stringify(name)}`,
    wanted: "as many samples as its header says",
    found: `only ${index} whole ones: ${(cause as Error).message}`,
    remedy: "Get the file again; it is cut off or damaged",
    cause,
  });
}

/** An item as pixels, when it looks like an image of bytes, else as numbers for the model. */
export function contentOf(
  array: NpyArray,
  item: Uint8Array<ArrayBuffer>,
): Pick<RawSample, "image" | "input"> {
  const image = array.isBytes ? imageOf(item, array.shape) : undefined;
  return image === undefined
    ? { input: { data: array.decode(item), dims: array.shape } }
    : { image };
}

const CHANNELS = [1, 3, 4];

/** Pixels of [height, width], [height, width, channels] or [channels, height, width]. */
function imageOf(item: Uint8Array, shape: readonly number[]): PixelImage | undefined {
  const [a, b, c] = shape;
  if (shape.length === 2) return { pixels: item, height: a, width: b, channels: 1 };
  if (shape.length !== 3) return undefined;
  if (CHANNELS.includes(c)) return { pixels: item, height: a, width: b, channels: c };
  if (!CHANNELS.includes(a)) return undefined;
  const pixels = new Uint8Array(item.length);
  const area = b * c;
  for (let channel = 0; channel < a; channel++) {
    for (let i = 0; i < area; i++) pixels[i * a + channel] = item[channel * area + i];
  }
  return { pixels, height: b, width: c, channels: a };
}

function unreadable(name: string, found: string, remedy: string): PlimsollError {
  return new PlimsollError("input", {
    action: `reading ${JSON.stringify(name)}`,
    wanted: "an .npy array of numbers whose first axis counts the samples",
    found,
    remedy,
  });
}

/**
 * Reads the header of an array; its elements follow in the stream. It may be a single number, or have samples without
 * elements.
 *
 * @throws {PlimsollError} kind `input` when it is no array with samples that can be streamed.
 */
export async function readNpyHeader(bytes: ByteReader, name: string): Promise<NpyArray> {
  const fail = (found: string, remedy: string) => unreadable(name, found, remedy);
  const start = await bytes.read(8);
  if (String.fromCharCode(...start.subarray(0, 6)) !== "\x93NUMPY") {
    throw fail("a file without NumPy's magic number", "Save it with numpy.save");
  }
  const [major] = start.subarray(6);
  const length = await bytes.read(major === 1 ? 2 : 4);
  const headerBytes = length.reduceRight((value, byte) => value * 256 + byte, 0);
  if (headerBytes > MAX_HEADER_BYTES) {
    throw fail(`a header of ${headerBytes} bytes`, "Get the file again");
  }
  const header = await bytes.read(headerBytes);
  if (header.length < headerBytes) throw fail("a file cut off in its header", "Get it again");
  const text = new TextDecoder().decode(header);
  const descr = /'descr'\s*:\s*'([^']*)'/.exec(text)?.[1];
  const order = /'fortran_order'\s*:\s*(True|False)/.exec(text)?.[1];
  const shapeText = /'shape'\s*:\s*\(([\d,\sL]*)\)/.exec(text)?.[1];
  if (descr === undefined || order === undefined || shapeText === undefined) {
    throw fail(
      `the header ${text.trim().slice(0, 200)}`,
      "Save plain numbers, no structured types",
    );
  }
  const [count, ...shape] = shapeText.split(",").map((size) => parseInt(size)).filter((size) =>
    !Number.isNaN(size)
  );
  if (order === "True" && shape.length > 0) {
    throw fail(
      "an array in Fortran order, whose samples lie scattered over the file",
      "Save it with numpy.save(path, numpy.ascontiguousarray(array))",
    );
  }
  const type = own(TYPES, descr.slice(1));
  if (type === undefined) {
    throw fail(`elements of type ${descr}`, "Save it as float32 or as integers");
  }
  const [size, decode] = type;
  const itemBytes = size * elementCount(shape);
  if (!Number.isSafeInteger((count ?? 1) * itemBytes) || itemBytes > MAX_ITEM_BYTES) {
    throw fail(`samples of ${itemBytes} bytes`, "Check that the first axis counts the samples");
  }
  const isSwapped = descr[0] === ">" && size > 1;
  return {
    ...(count === undefined ? {} : { count }),
    shape,
    itemBytes,
    isBytes: descr.slice(1) === "u1",
    decode: (item) => decode((isSwapped ? swapped(item, size) : item).slice().buffer),
  };
}

/** Element types: bytes of one, and how they become what models take. */
const TYPES: Record<string, [number, (bytes: ArrayBuffer) => InputTensor["data"]]> = {
  f4: [4, (bytes) => new Float32Array(bytes)],
  f8: [8, (bytes) => Float32Array.from(new Float64Array(bytes))],
  f2: [2, (bytes) => Float32Array.from(new Uint16Array(bytes), fromHalf)],
  b1: [1, (bytes) => new Uint8Array(bytes)],
  u1: [1, (bytes) => new Uint8Array(bytes)],
  i1: [1, (bytes) => Int32Array.from(new Int8Array(bytes))],
  u2: [2, (bytes) => Int32Array.from(new Uint16Array(bytes))],
  i2: [2, (bytes) => Int32Array.from(new Int16Array(bytes))],
  i4: [4, (bytes) => new Int32Array(bytes)],
  u4: [4, (bytes) => BigInt64Array.from(new Uint32Array(bytes) as never, BigInt as never)],
  i8: [8, (bytes) => new BigInt64Array(bytes)],
  u8: [8, (bytes) => new BigInt64Array(bytes)],
};

/** The value of an IEEE 754 half. */
function fromHalf(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const [exponent, fraction] = [half >> 10 & 31, half & 1023];
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? 2 ** (exponent - 25) * (1024 + fraction) : 2 ** -24 * fraction);
}

function swapped(item: Uint8Array<ArrayBuffer>, size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(item.length);
  for (let i = 0; i < item.length; i++) bytes[i] = item[i - i % size + size - 1 - i % size];
  return bytes;
}
