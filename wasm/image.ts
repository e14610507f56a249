/**
 * Image files to float32 tensors, in one call of WebAssembly: decode, turn upright, resize, crop, normalise. Host
 * side of `image/`, which is Rust.
 *
 * This module is browser compatible.
 *
 * @module
 */
import { IMAGE } from "./generated/image.ts";
import { decodeBinary, suppliedWasm } from "./supply.ts";

/** Formats that are read, in the order of their numbers in the module. */
export const IMAGE_FORMATS = ["jpeg", "png", "webp", "gif", "bmp"] as const;

/** A format that is read. */
export type ImageFormat = typeof IMAGE_FORMATS[number];

/** Names of filters, in the order of Pillow's numbers. */
export const INTERPOLATIONS = [
  "nearest",
  "lanczos",
  "bilinear",
  "bicubic",
  "box",
  "hamming",
] as const;

/** How pixels are weighted when an image is resized; all but `nearest` are antialiased, as in Pillow. */
export type Interpolation = typeof INTERPOLATIONS[number];

/**
 * Size after resizing. With `shortest` the short side gets that many pixels and the long side keeps the ratio: cut off
 * as torchvision does (`truncate`), or rounded (`round`, halves to even, as Python's `round()`).
 */
export type ImageResize =
  | { readonly shortest: number; readonly rounding?: "truncate" | "round" }
  | { readonly width: number; readonly height: number };

/**
 * A window around the centre; what lies outside of the image is pixels of 0, as in torchvision. Where half a pixel is
 * left over, `rounding` says how the offset becomes whole: halves to even as torchvision does (`round`), or cut off
 * (`truncate`, as Hugging Face's image processors do).
 */
export interface ImageCrop {
  /** Columns that are kept. */
  readonly width: number;
  /** Rows that are kept. */
  readonly height: number;
  /** What becomes of half a pixel of offset. @default {"round"} */
  readonly rounding?: "round" | "truncate";
}

/** Options of {@linkcode ImageCore.prepare}. */
export interface PrepareOptions {
  /** Size after resizing; the image's own by default. */
  readonly resize?: ImageResize;
  /** Centre crop after resizing; none by default. */
  readonly crop?: ImageCrop;
  /** How pixels are weighted. @default {"bilinear"} */
  readonly interpolation?: Interpolation;
  /** Factor for pixels 0 … 255. @default {1 / 255} */
  readonly scale?: number;
  /** Subtracted after scaling: one number, or one for each channel of the result. @default {0} */
  readonly mean?: number | readonly number[];
  /** Divisor after that: one number, or one for each channel of the result. @default {1} */
  readonly std?: number | readonly number[];
  /** Order of the channels of the result. @default {"RGB"} */
  readonly channelOrder?: "RGB" | "BGR";
  /** Order of the axes of the result. @default {"NCHW"} */
  readonly layout?: "NCHW" | "NHWC";
  /** One channel of luma, as Pillow's `convert("L")`. @default {false} */
  readonly grayscale?: boolean;
  /** Images of more pixels are refused before they are decoded. @default {25165824} */
  readonly maxPixels?: number;
}

/** Decoded pixels. */
export interface Pixels {
  /** Values 0 … 255, row-major, height × width × channels. */
  readonly pixels: Uint8Array;
  /** Pixels in a row. */
  readonly width: number;
  /** Rows. */
  readonly height: number;
  /** 1 grey, 3 RGB. */
  readonly channels: number;
}

/** An image, ready for a model. */
export interface PreparedImage {
  /** Float32 values, row-major; the caller's own. */
  readonly data: Float32Array<ArrayBuffer>;
  /** [channels, height, width], or [height, width, channels] with layout NHWC. */
  readonly dims: readonly [number, number, number];
  /** Width of the image before resizing, upright. */
  readonly width: number;
  /** Height of the image before resizing, upright. */
  readonly height: number;
  /** What the file is, whatever its name says. */
  readonly format: ImageFormat;
}

/**
 * What can be wrong with an image file:
 *
 * - `not-an-image`: its first bytes are those of no format that is known;
 * - `unsupported`: a format, or a variant of one, that is not read;
 * - `truncated`: it ends before the image does;
 * - `broken`: its contents contradict themselves;
 * - `too-large`: more pixels than `maxPixels`;
 * - `no-memory`: the host gives no more memory.
 */
export type ImageErrorKind =
  | "not-an-image"
  | "unsupported"
  | "truncated"
  | "broken"
  | "too-large"
  | "no-memory";

/** In the order of their numbers in the module, from 1. */
const ERROR_KINDS: readonly ImageErrorKind[] = [
  "not-an-image",
  "unsupported",
  "truncated",
  "broken",
  "too-large",
  "no-memory",
];

/** An image that can't be read. The core stays usable. */
export class ImageError extends Error {
  /** The class, for messages. */
  override readonly name = "ImageError";
  /** What is wrong with it. */
  readonly kind: ImageErrorKind;
  /** What was found, in words. */
  readonly found: string;

  /** An error of a kind, with what was found. */
  constructor(kind: ImageErrorKind, found: string, options?: ErrorOptions) {
    super(`Cannot read an image (${kind}): found ${found}`, options);
    this.kind = kind;
    this.found = found;
  }
}

/** One WebAssembly instance that reads images, one at a time. */
export interface ImageCore {
  /**
   * Reads an image file.
   *
   * @throws {ImageError} When the file can't be read; the next one can.
   * @throws {RangeError} When an option makes no sense.
   */
  prepare(bytes: Uint8Array, options?: PrepareOptions): PreparedImage;
  /**
   * Does the same with decoded pixels. Grey ones stay grey, so mean and std are then of one channel.
   *
   * @throws {ImageError} When there is no memory for the result.
   * @throws {RangeError} When an option or the number of pixels makes no sense.
   */
  preparePixels(image: Pixels, options?: PrepareOptions): Pick<PreparedImage, "data" | "dims">;
  /** Bytes of WebAssembly memory in use. */
  readonly memoryBytes: number;
}

/**
 * 25 million, as cameras of 24 megapixels make: 75 MB of RGB, which decoding takes up to four times (16 bits a channel,
 * interlaced, animated), and the result as float32 another four, here and in WebAssembly. All of it stays below 1 GB.
 * Pillow's limit, 179 million, is beyond a machine of 4 GB.
 */
export const DEFAULT_MAX_PIXELS = 3 * 2 ** 23;

/** An instance that has grown beyond this is replaced by a new one. */
const MAX_KEPT_BYTES = 256 * 2 ** 20;

/** What `image/src/lib.rs` exports, with its comments. */
interface ImageExports {
  readonly memory: WebAssembly.Memory;
  request(): number;
  response(): number;
  tables(): number;
  input(length: number): number;
  prepare(): number;
}

/**
 * The float32 values of pixels 0 … 255: (pixel · scale − mean) / std, computed in float64 and rounded once.
 *
 * @example Usage
 * ```ts
 * import { pixelTable } from "./image.ts";
 * import assert from "node:assert/strict";
 *
 * const table = pixelTable(1, 127, 128);
 * assert.deepEqual([table[0], table[127], table[255]], [-127 / 128, 0, 1]);
 * ```
 */
export function pixelTable(scale: number, mean: number, std: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: 256 }, (_, pixel) => (pixel * scale - mean) / std);
}

/** The binary, for hosts that compile it themselves. */
export function imageBinary(): Uint8Array<ArrayBuffer> {
  return decodeBinary(IMAGE, "image");
}

/**
 * Loads the image core. It needs an engine with SIMD, and nothing from its host.
 *
 * @param module The compiled binary, for hosts that do not compile at run time (Cloudflare workerd); `wasm/image/build.ts
 * --emit` writes it as a file.
 *
 * @example Usage
 * ```ts
 * import { createImageCore } from "./image.ts";
 * import assert from "node:assert/strict";
 *
 * const gif = atob("R0lGODlhAQABAPAAAP8AAP///yH5BAAAAAAALAAAAAABAAEAAAICRAEAOw==");
 * const core = await createImageCore();
 * const image = core.prepare(Uint8Array.from(gif, (char) => char.charCodeAt(0)));
 * assert.deepEqual([...image.data], [1, 0, 0]);
 * assert.deepEqual(image.dims, [3, 1, 1]);
 * ```
 */
export async function createImageCore(module?: WebAssembly.Module): Promise<ImageCore> {
  const compiled = module ?? suppliedWasm().image ?? await WebAssembly.compile(imageBinary());
  return new WasmImageCore(compiled, await WebAssembly.instantiate(compiled));
}

let compiledHere: WebAssembly.Module | undefined;

/**
 * Loads the image core at once, for places that can't wait. Compiling takes some 20 ms, the first time; browsers allow it in workers,
 * and of this size outside of them.
 *
 * @param module As of {@linkcode createImageCore}.
 */
export function createImageCoreSync(module?: WebAssembly.Module): ImageCore {
  const compiled = module ?? suppliedWasm().image ??
    (compiledHere ??= new WebAssembly.Module(imageBinary()));
  return new WasmImageCore(compiled, new WebAssembly.Instance(compiled));
}

class WasmImageCore implements ImageCore {
  readonly #module: WebAssembly.Module;
  #wasm: ImageExports;
  /** The options whose tables the instance holds. */
  #tablesOf?: string;

  constructor(module: WebAssembly.Module, { exports }: WebAssembly.Instance) {
    this.#module = module;
    this.#wasm = exports as unknown as ImageExports;
  }

  get memoryBytes(): number {
    return this.#wasm.memory.buffer.byteLength;
  }

  prepare(bytes: Uint8Array, options: PrepareOptions = {}): PreparedImage {
    const channels = options.grayscale ? 1 : 3;
    const { response, ...result } = this.#run(bytes, options, channels);
    const { originalWidth: width, originalHeight: height, format } = response;
    return { ...result, width, height, format: IMAGE_FORMATS[format - 1] };
  }

  preparePixels(image: Pixels, options: PrepareOptions = {}): Pick<PreparedImage, "data" | "dims"> {
    const { pixels, width, height, channels } = image;
    if (channels !== 1 && channels !== 3 || pixels.length !== width * height * channels) {
      throw new RangeError(
        `Cannot prepare pixels: wanted 1 or 3 channels and one value for each pixel and channel, ` +
          `found ${pixels.length} values for ${width} × ${height} × ${channels}`,
      );
    }
    const { data, dims } = this.#run(pixels, options, options.grayscale ? 1 : channels, image);
    return { data, dims };
  }

  #run(bytes: Uint8Array, options: PrepareOptions, channels: number, image?: Pixels) {
    const request = encodeRequest(options, channels, image);
    const tables = encodeTables(options, channels);
    try {
      return this.#call(bytes, options, channels, request, tables);
    } catch (cause) {
      if (!(cause instanceof WebAssembly.RuntimeError)) throw cause;
      // A decoder has given up in a way that leaves the instance in pieces.
      const message = this.#message();
      this.#renew();
      throw message === ""
        ? new ImageError("no-memory", "no more WebAssembly memory", { cause })
        : new ImageError("broken", message, { cause });
    } finally {
      if (this.memoryBytes > MAX_KEPT_BYTES) this.#renew();
    }
  }

  #call(
    bytes: Uint8Array,
    options: PrepareOptions,
    channels: number,
    request: Uint32Array,
    tables: Tables,
  ) {
    const wasm = this.#wasm;
    const address = wasm.input(bytes.length);
    if (address === 0) throw new ImageError("no-memory", `a file of ${bytes.length} bytes`);
    // Every call may let memory grow, which cuts off all views: each is made where it is used.
    new Uint8Array(wasm.memory.buffer, address, bytes.length).set(bytes);
    if (tables.key !== this.#tablesOf) {
      const tablesAddress = wasm.tables();
      const values = tables.make();
      new Float32Array(wasm.memory.buffer, tablesAddress, values.length).set(values);
      this.#tablesOf = tables.key;
    }
    const requestAddress = wasm.request();
    new Uint32Array(wasm.memory.buffer, requestAddress, request.length).set(request);

    const status = wasm.prepare();
    if (status !== 0) throw new ImageError(ERROR_KINDS[status - 1], this.#message());
    const response = decodeResponse(wasm);
    const { width, height } = response;
    const data = new Float32Array(wasm.memory.buffer, response.data, width * height * channels);
    const dims: [number, number, number] = options.layout === "NHWC"
      ? [height, width, channels]
      : [channels, height, width];
    return { data: data.slice(), dims, response };
  }

  #message(): string {
    const { message, messageLength } = decodeResponse(this.#wasm);
    return new TextDecoder().decode(
      new Uint8Array(this.#wasm.memory.buffer, message, messageLength),
    );
  }

  #renew(): void {
    const { exports } = new WebAssembly.Instance(this.#module);
    this.#wasm = exports as unknown as ImageExports;
    this.#tablesOf = undefined;
  }
}

/** The values of pixels in each channel of the result. */
interface Tables {
  /** What they follow from. */
  readonly key: string;
  make(): Float32Array;
}

function encodeTables(options: PrepareOptions, channels: number): Tables {
  const { scale = 1 / 255, mean = 0, std = 1 } = options;
  const means = perChannel("mean", mean, channels);
  const stds = perChannel("std", std, channels);
  return {
    key: `${scale} ${means} ${stds}`,
    make: () => {
      const tables = new Float32Array(256 * channels);
      for (let c = 0; c < channels; c++) tables.set(pixelTable(scale, means[c], stds[c]), c * 256);
      return tables;
    },
  };
}

/** The fields of `Request` in `image/src/lib.rs`, in their order. */
function encodeRequest(
  options: PrepareOptions,
  channels: number,
  image?: Pixels,
): Uint32Array<ArrayBuffer> {
  const { resize, crop, interpolation = "bilinear", maxPixels = DEFAULT_MAX_PIXELS } = options;
  const isShortest = resize !== undefined && "shortest" in resize;
  const isExact = resize !== undefined && !isShortest;
  const filter = INTERPOLATIONS.indexOf(interpolation);
  if (filter < 0) {
    throw new RangeError(
      `Cannot prepare images: wanted interpolation ${INTERPOLATIONS.join(", ")}, found ${
        JSON.stringify(interpolation)
      }`,
    );
  }
  const pixels = (what: string, value: number) => {
    if (Number.isInteger(value) && value >= 1 && value < 2 ** 32) return value;
    throw new RangeError(
      `Cannot prepare images: wanted ${what} of 1 or more pixels, found ${value}`,
    );
  };
  return Uint32Array.of(
    isShortest ? 1 : isExact ? 2 : 0,
    isShortest
      ? pixels("a shortest side", resize.shortest)
      : isExact
      ? pixels("a width", resize.width)
      : 0,
    isExact ? pixels("a height", resize.height) : 0,
    isShortest && resize.rounding === "round" ? 1 : 0,
    filter,
    crop ? pixels("a crop", crop.width) : 0,
    crop ? pixels("a crop", crop.height) : 0,
    crop?.rounding === "truncate" ? 1 : 0,
    channels,
    options.channelOrder === "BGR" ? 1 : 0,
    options.layout === "NHWC" ? 1 : 0,
    Math.min(pixels("maxPixels", maxPixels), 2 ** 32 - 1),
    image?.channels ?? 0,
    image?.width ?? 0,
    image?.height ?? 0,
  );
}

/** The fields of `Response` in `image/src/lib.rs`, in their order. */
function decodeResponse(wasm: ImageExports) {
  const address = wasm.response();
  const [data, width, height, originalWidth, originalHeight, format, message, messageLength] =
    new Uint32Array(wasm.memory.buffer, address, 8);
  return { data, width, height, originalWidth, originalHeight, format, message, messageLength };
}

function perChannel(name: string, value: number | readonly number[], channels: number) {
  const values = typeof value === "number" ? [value] : value;
  if (values.length !== 1 && values.length !== channels) {
    throw new RangeError(
      `Cannot prepare images: wanted ${name} of 1 or ${channels} numbers, found ${values.length}`,
    );
  }
  return Array.from({ length: channels }, (_, channel) => values[channel] ?? values[0]);
}
