/**
 * Calibration: a pass of samples through the float model, into statistics.
 *
 * @module
 */
import { createHistogramCore } from "../wasm/mod.ts";
import type { Sample } from "./core/tensor.ts";
import { StatisticsCollector } from "./statistics/collector.ts";
import type { Statistics, TensorStatistics } from "./statistics/statistics.ts";
import { type PassOptions, streamActivations } from "./stream_activations.ts";

/** What {@linkcode calibrate} needs. */
export interface CalibrateOptions extends PassOptions {
  /** SHA-256 of the model file as it was given. */
  readonly modelSha256: string;
  /**
   * Asked after every batch with the number of samples so far; true ends the calibration there. `tensors`
   * gives the statistics so far, some 0.2 ms a tensor.
   */
  readonly isEnough?: (samples: number, tensors: () => TensorStatistics[]) => boolean;
}

/**
 * Streams samples through the float model and accumulates exact statistics of every tensor that the
 * target quantizes. Memory does not grow with the number of samples.
 *
 * @param samples Consumed; cancelled when anything fails.
 * @throws {PlimsollError} kinds `model` (nothing to quantize), `data` (wrong shape, NaN, no sample),
 * `runtime`.
 */
export async function calibrate(
  samples: ReadableStream<Sample>,
  options: CalibrateOptions,
): Promise<Statistics> {
  const { modelSha256, isEnough } = options;
  let collector: StatisticsCollector | undefined;
  const { outline } = await streamActivations(samples, options, "calibrate", async (watched) => {
    const collecting = collector = new StatisticsCollector(
      await createHistogramCore(),
      watched,
      options.target.activation.error === "auto",
    );
    return async (batch) => {
      await collecting.observe(batch);
      return isEnough?.(collecting.samples, () => collecting.tensors()) ?? false;
    };
  });
  return {
    model: { sha256: modelSha256 },
    outline,
    data: collector!.data(),
    tensors: collector!.tensors(),
  };
}
