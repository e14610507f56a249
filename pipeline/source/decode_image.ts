/**
 * Image files and pixels to tensors: what binds preprocessing to the image core.
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";
import { option } from "../../core/option_words.ts";
import {
  createImageCoreSync,
  type ImageCore,
  ImageError,
  type ImageErrorKind,
  type PrepareOptions,
} from "../../wasm/image.ts";
import type { PixelImage, Tensor } from "../../core/tensor.ts";

/** Options of {@linkcode imageDecoder}. */
export interface ImageDecoderOptions {
  /** Images of more pixels are refused before they are decoded; 25,165,824 by default. */
  readonly maxPixels?: number;
  /** The compiled image core, for hosts that don't compile at run time. */
  readonly module?: WebAssembly.Module;
}

/** Makes tensors of images, by one preprocessing. */
export interface ImageDecoder {
  /**
   * Decodes an image file.
   *
   * @param id What to call it in messages.
   * @throws {PlimsollError} kind `data`. The decoder stays usable.
   */
  decode(encoded: Uint8Array, id: string): Tensor;
  /**
   * Resizes and crops pixels.
   *
   * @throws {PlimsollError} kind `data`.
   */
  resize(image: PixelImage, id: string): Tensor;
}

/** What to do about each kind of fault. */
const REMEDIES: Record<ImageErrorKind, string> = {
  "not-an-image": "Give JPEG, PNG, WebP, GIF or BMP",
  unsupported: "Convert it to JPEG or PNG",
  truncated: "Copy the file again",
  broken: "Write the file again",
  "too-large": `Raise ${option("maxPixels")} if it is meant to be that large`,
  "no-memory": "Make the image smaller",
};

/**
 * A decoder, whose WebAssembly is loaded with the first image.
 *
 * @param preprocessing Scale, mean, std, resize, crop, interpolation, orders of channels and axes.
 */
export function imageDecoder(
  preprocessing: PrepareOptions,
  { maxPixels, module }: ImageDecoderOptions = {},
): ImageDecoder {
  let core: ImageCore | undefined;
  const options = maxPixels === undefined ? preprocessing : { ...preprocessing, maxPixels };
  const attempt = (id: string, make: (core: ImageCore) => Tensor) => {
    core ??= createImageCoreSync(module);
    try {
      const { data, dims } = make(core);
      return { data, dims };
    } catch (cause) {
      if (!(cause instanceof ImageError) && !(cause instanceof RangeError)) throw cause;
      const isImageError = cause instanceof ImageError;
      throw new PlimsollError("data", {
        action: `reading image ${JSON.stringify(id)}`,
        wanted: "an image that can be prepared",
        found: isImageError ? `${cause.found} (${cause.kind})` : cause.message,
        remedy: isImageError ? REMEDIES[cause.kind] : "Correct the preprocessing",
        cause,
      });
    }
  };
  return {
    decode: (encoded, id) => attempt(id, (core) => core.prepare(encoded, options)),
    resize: (image, id) => attempt(id, (core) => core.preparePixels(image, options)),
  };
}
