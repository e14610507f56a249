/**
 * From picked files to files to save: a quantization by the same steps, and so the same bytes, as `quantize` on the command
 * line, or what kernels take here, as `profile` measures it there.
 *
 * @module
 */
import { canonicalJson } from "../../core/canonical_json.ts";
import { PlimsollError } from "../../core/errors.ts";
import type { Reader } from "../../core/host.ts";
import {
  loadFloatModel,
  type Quantization,
  quantizeAll,
} from "../../pipeline/quantize/quantize.ts";
import { COSTS_SAMPLES, costsOfModel } from "../../pipeline/quantize/costs_of_model.ts";
import type { FloatModel } from "../../pipeline/quantize/float_model.ts";
import { costsReport } from "../../pipeline/report/costs.ts";
import type { SampleOpener } from "../../pipeline/source/samples.ts";
import { samplesBehind } from "../../pipeline/source/held_out.ts";
import { verdictSentence } from "../../pipeline/report/verdict.ts";
import { reportPage } from "../../pipeline/report/page/render.ts";
import { openSamples } from "../../pipeline/source/open_samples.ts";
import { prepareSource } from "../../pipeline/source/prepared_samples.ts";
import { parsePreprocessing } from "../../tpc/recipe/preprocessing.ts";
import { ThresholdWatch } from "../../pipeline/passes/threshold_watch.ts";
import { quantizedCounts } from "../../pipeline/report/counts.ts";
import { readPlim } from "../../pipeline/statistics/plim.ts";
import { fileReader } from "./file_reader.ts";
import type { Job, JobResult, MadeFile, News } from "./messages.ts";

/** How often thresholds are looked at: a sixth of the time at most goes into it. */
const PACE = { pause: 250, share: 0.2 };

/** Folders that picked files are put in, so that a name can't be both. */
const [MODEL, DATA] = ["model", "data"];

/**
 * Runs a job.
 *
 * @param onNews Told what happens meanwhile.
 * @throws {PlimsollError} Whose message is for the user.
 */
export async function runJob(job: Job, onNews: (news: News) => void): Promise<JobResult> {
  const reader = fileReader([
    ...job.beside.map(({ path, file }) => ({ path: `${MODEL}/${path}`, file })),
    ...job.samples.files.map(({ path, file }) => ({ path: `${DATA}/${path}`, file })),
  ]);
  const loaded = await loadFloatModel(
    new Uint8Array(await job.model.file.arrayBuffer()),
    job.model.name,
    {
      quantized: job.recipe.requantize ? "dequantize" : "refuse",
      readBeside: (location, offset, length) =>
        reader.readRange(`${MODEL}/${location}`, offset, length),
    },
  );
  if (job.task === "profile") return await profile(loaded, job, reader, onNews);
  const [result] = await quantizeAll(loaded, [job.recipe], openerOf(job, reader, onNews), {
    batch: job.batch,
    judgeOn: (count) => heldOut(job, count, reader),
    onEvent: (event) => {
      if (event.kind === "progress") onNews({ type: "progress", progress: event.progress });
      if (event.kind === "note") onNews({ type: "note", text: event.text });
    },
    watch: ({ prepared }, target) => {
      const watch = new ThresholdWatch(prepared, target, { pace: PACE });
      return {
        isEnough: (samples, tensors) => {
          if (watch.look(samples, tensors)) {
            onNews({ type: "thresholds", thresholds: watch.record() });
          }
          return false;
        },
      };
    },
  });
  return { files: await filesOf(job, result), summary: summaryOf(result) };
}

/** Measures the kernels of a model in this browser. */
async function profile(
  float: FloatModel,
  job: Job,
  reader: Reader,
  onNews: (news: News) => void,
): Promise<JobResult> {
  const limit = Math.min(job.limit ?? COSTS_SAMPLES, COSTS_SAMPLES);
  const costs = await costsOfModel(
    float,
    job.recipe,
    openerOf({ ...job, limit }, reader, onNews),
    { batch: job.batch, onProgress: (progress) => onNews({ type: "progress", progress }) },
  );
  return {
    files: [{ name: "costs.json", mediaType: "application/json", parts: [canonicalJson(costs)] }],
    summary: `What ${costs.units.length} units of the model take in this browser, for --costs of ` +
      "quantize --plan and of plan",
    table: costsReport(costs),
  };
}

/** Opens the samples from their beginning, for every pass. */
function openerOf(
  { samples, recipe, limit }: Job,
  reader: Reader,
  onNews: (news: News) => void,
): SampleOpener {
  const preprocessing = parsePreprocessing(recipe.preprocessing ?? {}, "the preprocessing");
  const path = samples.isFolder ? DATA : `${DATA}/${samples.files[0].path}`;
  return {
    open: async (skip) => {
      const onNote = (text: string) => onNews({ type: "note", text });
      return prepareSource(await openSamples(reader, path, { limit, skip, onNote }), {
        preprocessing,
      });
    },
  };
}

/** The samples behind the limit, as the command line takes them to judge by. */
async function heldOut(job: Job, count: number, reader: Reader) {
  const { limit } = job;
  if (limit === undefined) return { samples: [], data: "calibration" } as const;
  const samples = await samplesBehind(
    limit,
    count,
    (most, skip) => openerOf({ ...job, limit: most }, reader, () => {}).open(skip),
  );
  return { samples, data: "held out" } as const;
}

async function filesOf(job: Job, result: Quantization): Promise<MadeFile[]> {
  const { model, weights, manifest, statistics, verdict } = result;
  const binary = "application/octet-stream";
  return [
    { name: "model.onnx", mediaType: binary, parts: [model] },
    ...(weights.length === 0 ? [] : [{
      name: "model.onnx.data",
      mediaType: binary,
      parts: weights as Uint8Array<ArrayBuffer>[],
    }]),
    { name: "manifest.json", mediaType: "application/json", parts: [canonicalJson(manifest)] },
    { name: "statistics.plim", mediaType: binary, parts: [statistics] },
    {
      name: "report.html",
      mediaType: "text/html",
      parts: [reportPage({
        title: job.model.name,
        manifest,
        statistics: await readPlim(statistics, "statistics.plim"),
        ...(verdict === undefined ? {} : { verdict }),
      })],
    },
  ];
}

function summaryOf({ manifest, target, verdict }: Quantization): string {
  const { float, data } = manifest;
  return `${quantizedCounts(manifest)} quantized for target ` +
    `${target.name} from ${data.samples} samples; ${float.length} nodes stay float` +
    (verdict === undefined ? "" : `. ${verdictSentence(verdict)}`);
}

/** What the user is told of an error. */
export function messageOf(error: unknown): string {
  if (error instanceof PlimsollError) return error.message;
  const trace = error instanceof Error ? error.stack ?? error.message : String(error);
  return `This is a defect of Plimsoll, please report it: ${trace}`;
}
