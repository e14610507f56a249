/**
 * Which samples a verdict is made of.
 *
 * @module
 */
import type { Host } from "../../core/host.ts";
import type { RunOptions } from "../../pipeline/quantize/quantize.ts";
import { samplesBehind } from "../../pipeline/source/held_out.ts";
import { type SampleOptions, samplesAt } from "./inputs.ts";

interface JudgedSamples {
  /** Where the calibration samples are, and how many it takes at most. */
  readonly path: string;
  readonly limit?: number;
  /** Where the evaluation samples are, if there are any. */
  readonly evalPath?: string;
  readonly reading: SampleOptions;
}

/**
 * The first evaluation samples; without any, those that `--samples` leaves out of the calibration; without these none,
 * so that the calibration's own stand in.
 */
export function judgedSamples(
  host: Host,
  { path, limit, evalPath, reading }: JudgedSamples,
): NonNullable<RunOptions["judgeOn"]> {
  const openAt = (place: string) => (count: number, skip?: (index: number) => boolean) =>
    samplesAt(host, place, { ...reading, samples: count }, {}).open(skip);
  return async (count) => {
    if (evalPath !== undefined && evalPath !== "-") {
      return { samples: await samplesBehind(0, count, openAt(evalPath)), data: "evaluation" };
    }
    if (limit === undefined || path === "-") return { samples: [], data: "calibration" };
    return { samples: await samplesBehind(limit, count, openAt(path)), data: "held out" };
  };
}
