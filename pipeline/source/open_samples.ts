/**
 * From a path to a stream of raw samples with their labels.
 *
 * @module
 */
import { PlimsollError } from "../../tpc/core/errors.ts";
import type { Host } from "../core/host.ts";
import type { RawSample } from "../core/tensor.ts";
import { gunzipIfNeeded } from "./gunzip.ts";
import { type IdxItems, readIdx } from "./idx.ts";

/** A calibration or evaluation set, opened. */
export interface SampleSource {
  /** Number of samples that will come. */
  readonly count: number;
  /** Whether the samples have labels. */
  readonly isLabelled: boolean;
  /** The samples in order, made on demand. Consume it or cancel it. */
  readonly samples: ReadableStream<RawSample>;
}

/** Options of {@linkcode openSamples}. */
export interface OpenSamplesOptions {
  /** Take at most this many samples, from the beginning. */
  readonly limit?: number;
}

/**
 * Opens an IDX file of images. Labels are taken from the file beside it that has `labels-idx1` in
 * its name where this one has `images-idx3`, as the MNIST family has it.
 *
 * @throws {PlimsollError} kind `input` or `data`.
 */
export async function openSamples(
  host: Host,
  path: string,
  options: OpenSamplesOptions = {},
): Promise<SampleSource> {
  const images = await openIdx(host, path);
  const labelPath = path.replace(/images([-.])idx3/, "labels$1idx1");
  const hasLabels = labelPath !== path && await host.fileExists(labelPath);
  const labels = hasLabels ? await openIdx(host, labelPath) : undefined;
  const [height, width, channels = 1] = images.shape;
  const mismatch = height === undefined || width === undefined
    ? `items of shape [${images.shape}]`
    : labels !== undefined && labels.count !== images.count
    ? `${labels.count} labels in ${JSON.stringify(labelPath)} for ${images.count} images`
    : undefined;
  if (mismatch !== undefined) {
    await Promise.all([images.items.cancel(), labels?.items.cancel()]);
    throw new PlimsollError("data", {
      action: `opening ${JSON.stringify(path)}`,
      wanted: "images with height and width, and one label each if any",
      found: mismatch,
      remedy: "Give the image file, with the label file that belongs to it beside it",
    });
  }
  const count = Math.min(images.count, options.limit ?? Infinity);
  const imageReader = images.items.getReader();
  const labelReader = labels?.items.getReader();
  const cancel = async (reason?: unknown) => {
    await Promise.all([imageReader.cancel(reason), labelReader?.cancel(reason)]);
  };
  let index = 0;
  const samples = new ReadableStream<RawSample>({
    pull: async (controller) => {
      if (index === count) {
        await cancel();
        return controller.close();
      }
      const [image, label] = await Promise.all([imageReader.read(), labelReader?.read()]);
      controller.enqueue({
        index,
        id: `${path}#${index}`,
        image: { pixels: image.value!, height: height!, width: width!, channels },
        ...(label === undefined ? {} : { label: label.value![0] }),
      });
      index++;
    },
    cancel,
  }, { highWaterMark: 0 });
  return { count, isLabelled: labels !== undefined, samples };
}

async function openIdx(host: Host, path: string): Promise<IdxItems> {
  return await readIdx(await gunzipIfNeeded(await host.openFile(path)), path);
}
