/**
 * A quantization from picked files to files to save: the same steps, and so the same bytes, as `quantize` on the command
 * line.
 *
 * @module
 */
import { canonicalJson } from "../../core/canonical_json.ts";
import { PlimsollError } from "../../core/errors.ts";
import { rewritesFor } from "../../tpc/targets/rewrites_for.ts";
import { applyChoices } from "../../tpc/targets/apply_choices.ts";
import { presetTarget } from "../../tpc/targets/read_target.ts";
import type { Target } from "../../tpc/targets/target.ts";
import type { Host } from "../../core/host.ts";
import { parseJson } from "../../core/parse_json.ts";
import { learnModel } from "../../pipeline/quantize/learn_model.ts";
import { loadFloatModel, type Quantization, quantize } from "../../pipeline/quantize/quantize.ts";
import { reportPage } from "../../pipeline/report/page/render.ts";
import { openSamples } from "../../pipeline/source/open_samples.ts";
import { prepareSource } from "../../pipeline/source/prepared_samples.ts";
import { parsePreprocessing } from "../../pipeline/source/preprocess.ts";
import { readPlim } from "../../pipeline/statistics/plim.ts";
import { fileHost } from "./file_host.ts";
import type { Job, JobResult, MadeFile, News } from "./messages.ts";
import { watchThresholds } from "./watch_thresholds.ts";

/** Folders that picked files are put in, so that a name can't be both. */
const [MODEL, DATA] = ["model", "data"];

/**
 * Runs a job.
 *
 * @param onNews Told what happens meanwhile.
 * @throws {PlimsollError} Whose message is for the user.
 */
export async function runJob(job: Job, onNews: (news: News) => void): Promise<JobResult> {
  const host = fileHost(
    [
      ...job.beside.map(({ path, file }) => ({ path: `${MODEL}/${path}`, file })),
      ...job.samples.files.map(({ path, file }) => ({ path: `${DATA}/${path}`, file })),
    ],
    (text) => onNews({ type: "note", text }),
  );
  const target = applyChoices(presetTarget(job.target)!, job.choices, "the settings");
  const loaded = await loadFloatModel(
    new Uint8Array(await job.model.file.arrayBuffer()),
    job.model.name,
    {
      rewrites: rewritesFor(target),
      readBeside: (location, offset, length) =>
        host.readRange(`${MODEL}/${location}`, offset, length),
    },
  );
  const samplesOf = () => openJobSamples(job, host, onNews);
  const onProgress = (progress: Extract<News, { type: "progress" }>["progress"]) =>
    onNews({ type: "progress", progress });
  const float = await learnModel(loaded, target, samplesOf, { onProgress, batch: job.batch });
  const { samples, total, source, preprocessing } = await samplesOf();
  const result = await quantize(float, samples, {
    ...{ target, total, source, preprocessing, batch: job.batch, onProgress },
    isEnough: watchThresholds(
      float.prepared,
      target,
      (thresholds) => onNews({ type: "thresholds", thresholds }),
    ),
  });
  return { files: await filesOf(job, result), summary: summaryOf(result, target) };
}

/** Opens the samples from their beginning. */
async function openJobSamples(
  { samples, preprocess, limit }: Job,
  host: Host,
  onNews: (news: News) => void,
) {
  const preprocessing = parsePreprocessing(
    parseJson(preprocess, "the preprocessing"),
    "the preprocessing",
  );
  const path = samples.isFolder ? DATA : `${DATA}/${samples.files[0].path}`;
  const opened = await openSamples(host, path, {
    limit,
    onNote: (text) => onNews({ type: "note", text }),
  });
  const { count, ...prepared } = await prepareSource(opened, { preprocessing });
  return { ...prepared, total: count };
}

async function filesOf(job: Job, result: Quantization): Promise<MadeFile[]> {
  const { model, weights, manifest, statistics } = result;
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
      })],
    },
  ];
}

function summaryOf({ manifest }: Quantization, target: Target): string {
  const { activations, weights, float, data } = manifest;
  return `${activations.length} activations and ${weights.length} weight tensors quantized for target ` +
    `${target.name} from ${data.samples} samples; ${float.length} nodes stay float`;
}

/** What the user is told of an error. */
export function messageOf(error: unknown): string {
  if (error instanceof PlimsollError) return error.message;
  const trace = error instanceof Error ? error.stack ?? error.message : String(error);
  return `This is a defect of Plimsoll, please report it: ${trace}`;
}
