/**
 * The errors that a manifest reports, proved by a pass over the samples that its statistics cover.
 *
 * @module
 */
import { type Verified, verifiedBy, verifiedGrids, verify } from "../passes/second_pass.ts";
import type { SampleOpener } from "../source/samples.ts";
import { coveredBy } from "../statistics/coverage.ts";
import type { Statistics } from "../statistics/statistics.ts";
import { progressOf } from "./begin_pass.ts";
import { errorsElsewhere } from "./elsewhere.ts";
import type { Quantization, RunOptions } from "./run.ts";

/**
 * Proves the errors of a result; see `verify`.
 *
 * @param opener Opens the calibration samples once more.
 * @throws {PlimsollError} kinds `data` and `runtime`.
 */
export async function verifyResult(
  { manifest, target, float }: Pick<Quantization, "manifest" | "target" | "float">,
  statistics: Statistics,
  opener: SampleOpener,
  options: RunOptions,
): Promise<Verified[]> {
  const covered = coveredBy(statistics.data);
  const skip = (index: number) => !covered.has(index);
  const { batch, signal, runtime, elsewhere } = options;
  const opened = await opener.open(skip);
  const run = {
    batch,
    signal,
    runtime,
    onProgress: progressOf(options),
    total: statistics.data.samples,
  };
  if (elsewhere === undefined) {
    return await verify(manifest, opened.samples, { ...run, target, model: float.prepared });
  }
  const begun = { samples: opened.samples, opened, run };
  const errors = await errorsElsewhere(
    elsewhere,
    verifiedGrids(manifest, target),
    { stage: "verify", float, target, opener, begun, skip },
    options,
  );
  return verifiedBy(manifest, target, errors);
}
