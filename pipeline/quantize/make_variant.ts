/**
 * From shared statistics to one quantized model: decide, round, emit.
 *
 * @module
 */
import { timed } from "../../core/timing.ts";
import { numbered } from "../../core/progress.ts";
import type { Sample } from "../../core/tensor.ts";
import { emitModel } from "../../tpc/emission/emit.ts";
import type { WeightCodes } from "../../tpc/emission/insert_qdq.ts";
import type { Manifest } from "../../tpc/manifest.ts";
import { furtherPasses } from "../../tpc/recipe/wishes.ts";
import { chooseByOutput, heldOutCounts } from "../passes/choose_by_output.ts";
import { reconstructLayers } from "../passes/reconstruct_layers.ts";
import { roundWeights } from "../passes/round_weights.ts";
import { chooseExact, exactChoices, exactGrids, judgedGrids } from "../passes/second_pass.ts";
import { writeCodes } from "../rounding/codes_file.ts";
import { decide } from "../search/decide.ts";
import type { OpenedSamples, SampleOpener } from "../source/samples.ts";
import { coveredBy } from "../statistics/coverage.ts";
import type { Statistics } from "../statistics/statistics.ts";
import { begin, progressOf } from "./begin_pass.ts";
import { errorsElsewhere, leastElsewhere } from "./elsewhere.ts";
import { serialiseFor } from "./float_model.ts";
import type { Planned } from "./plan_passes.ts";
import type { Pass, Quantization, RunOptions } from "./run.ts";

/** What a calibration pass gives to all that share it. */
export interface Calibrated {
  readonly statistics: Statistics;
  readonly file: Uint8Array<ArrayBuffer>;
  readonly sha256: string;
  readonly preprocessing: OpenedSamples["preprocessing"];
  /** Number of the pass, from 0. */
  readonly index: number;
  /** The first samples of the pass, to judge by. */
  readonly kept: readonly Sample[];
}

/** A manifest with the codes that aren't the nearest ones. */
interface Rounded {
  readonly manifest: Manifest;
  readonly codes?: WeightCodes;
}

/**
 * From statistics to the quantized model, with the further passes that the recipe takes.
 *
 * @param variant One of `variants`, or what a repair has made of it.
 * @param place Its place among `variants`: passes are numbered by it.
 */
export async function makeVariant(
  variant: Planned,
  place: number,
  calibrated: Calibrated,
  variants: readonly Planned[],
  { opener, options }: { readonly opener: SampleOpener; readonly options: RunOptions },
): Promise<Quantization> {
  const { name, recipe: wished, target, float } = variant;
  const { statistics, file, sha256: statisticsSha256, preprocessing, index } = calibrated;
  const recipe = preprocessing === undefined ? wished : { ...wished, preprocessing };
  const { prepared: model } = float;
  const covered = coveredBy(statistics.data);
  const uncovered = (index: number) => !covered.has(index);
  /** The samples that the statistics cover, once more. */
  const again = async (stage: Pass["stage"], takers: readonly Planned[]) =>
    await begin(stage, takers.indexOf(variants[place]), takers.map((taker) => [taker]), {
      opener,
      options,
      skip: uncovered,
    });
  const takers = (stage: Pass["stage"]) =>
    variants.filter((other) => furtherPasses(other.recipe).some((pass) => pass === stage));
  const takes = (stage: Pass["stage"]) => takers(stage).includes(variants[place]);

  const input = { statistics, statisticsSha256, target, model, recipe };
  const choices = takes("exact") ? await exact() : undefined;
  const { onTime } = options;
  const local = await timed(onTime, "search", () => decide({ ...input, choices }));
  const nearest = takes("output") ? await decide({ ...input, byOutput: await output() }) : local;
  const rounded: Rounded = takes("round") ? await round() : { manifest: nearest };
  const fitted: Rounded = takes("layers") ? await layers(rounded) : rounded;
  const { manifest, file: codesFile } = fitted.codes !== undefined && fitted.codes.size > 0
    ? await writeCodes(fitted.manifest, fitted.codes)
    : { manifest: fitted.manifest, file: undefined };
  const { codes } = fitted;
  const { emitted, file: bytes, weights } = await timed(onTime, "emit", () => {
    const emitted = emitModel(model, manifest, codes);
    return { emitted, ...serialiseFor(float, emitted) };
  });
  return {
    name,
    recipe,
    target,
    float,
    emitted,
    manifest,
    weights,
    model: bytes,
    statistics: file,
    pass: index,
    ...(codesFile === undefined ? {} : { codes: codesFile }),
  };

  async function exact() {
    const begun = await again("exact", takers("exact"));
    if (options.elsewhere === undefined) {
      return await exactChoices(statistics, begun.samples, { ...begun.run, model, target });
    }
    const asked = exactGrids(statistics, target);
    const pass = { stage: "exact", float, target, opener, begun, skip: uncovered };
    const grids = judgedGrids(asked);
    return chooseExact(asked, await errorsElsewhere(options.elsewhere, grids, pass, options));
  }

  async function output() {
    const begun = await again("output", takers("output"));
    const { most } = heldOutCounts(model.graph);
    const pass = { stage: "output", float, target, opener, begun, skip: uncovered };
    const samples = options.elsewhere === undefined
      ? begun.samples
      : await leastElsewhere(options.elsewhere, { ...pass, most, isHeldOut: true }, options);
    return await chooseByOutput(statistics, local, samples, {
      ...begun.run,
      model,
      target,
      runs: wished.autoRuns,
    });
  }

  async function round() {
    const { batch, signal, runtime } = options;
    const all = takers("round");
    const onProgress = numbered(progressOf(options), all.indexOf(variants[place]) + 1, all.length);
    const reopen = async () => (await again("round", all)).samples;
    return await roundWeights(
      { manifest: nearest, statistics, reopen },
      { model, target, batch, signal, runtime, onProgress },
    );
  }

  async function layers(before: Rounded): Promise<Rounded> {
    const { samples, run } = await again("layers", takers("layers"));
    const { note, ...found } = await reconstructLayers(
      { model, ...before, statistics, samples, what: wished.sequential! },
      run,
    );
    await options.onEvent?.({ kind: "note", text: `${name}: ${note}` });
    return found;
  }
}
