/**
 * Preprocessing as a stage that knows what to do about images that can't be decoded.
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";
import { ImageError } from "../../wasm/image.ts";
import type { RawSample, Sample } from "../../core/tensor.ts";

/**
 * A stage that prepares samples and leaves out broken ones as the source does. Broken is an image
 * that can't be decoded, and what is an error of kind `input`. All else, such as a preprocessing that fits no
 * image, stops the stream.
 *
 * @param prepare Decodes and preprocesses one sample.
 * @param onBroken Told about a broken sample; throws to stop. Without it the error stops the stream.
 */
export function prepareSamples(
  prepare: (raw: RawSample) => Sample | Promise<Sample>,
  onBroken?: (error: PlimsollError) => void,
): TransformStream<RawSample, Sample> {
  return new TransformStream<RawSample, Sample>({
    transform: async (raw, controller) => {
      let sample: Sample;
      try {
        sample = await prepare(raw);
      } catch (error) {
        const isBroken = error instanceof PlimsollError &&
          (error.kind === "input" || error.cause instanceof ImageError);
        if (!isBroken || onBroken === undefined) throw error;
        return onBroken(error);
      }
      controller.enqueue(sample);
    },
  });
}
