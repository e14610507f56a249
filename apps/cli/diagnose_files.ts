/**
 * `evaluate --diagnose`: a float and a quantized model, from files.
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";
import { parseManifest } from "../../tpc/manifest.ts";
import type { Rewrites } from "../../onnx/rewrites/rewrites.ts";
import { diagnose } from "../../pipeline/diagnose/diagnose.ts";
import type { Diagnosis } from "../../pipeline/diagnose/diagnosis.ts";
import type { Host } from "../../core/host.ts";
import { rewriteModel } from "../../pipeline/quantize/quantize.ts";
import type { Context } from "./context.ts";
import { DEFAULT_DIAGNOSE_SAMPLES, type DiagnoseCommandOptions } from "./diagnose_options.ts";
import { wholeBatches } from "../../pipeline/diagnose/diagnose_quantized.ts";
import { readJson, sibling } from "./files.ts";
import { loadModel, loadOriginal, loadSamples, type SampleOptions } from "./inputs.ts";
import type { ProgressPrinter } from "./progress.ts";

/** The quantized model when none is named. */
const DEFAULT_QUANTIZED = "out/model.onnx";

/**
 * Refuses what can't be diagnosed.
 *
 * @throws {PlimsollError} kind `usage`.
 */
export function checkPair(paths: readonly string[], data: string | undefined): void {
  const fail = (wanted: string, found: string, remedy: string) =>
    new PlimsollError("usage", { action: "reading the options", wanted, found, remedy });
  if (paths.length !== 0 && paths.length !== 2) {
    throw fail(
      "a float and a quantized model for --diagnose",
      `${paths.length} models`,
      "Name these two, the float one first",
    );
  }
  if (data === "-") {
    throw fail(
      "samples that can be read more than once",
      "standard input",
      "Save the data to a file, or leave --diagnose out",
    );
  }
}

/** Compares the second model with the first, layer by layer. */
export async function diagnoseFiles(
  paths: readonly string[],
  options: SampleOptions & DiagnoseCommandOptions & { readonly path: string },
  { host, signal }: Pick<Context, "host" | "signal">,
  progress: ProgressPrinter,
): Promise<Diagnosis> {
  const [floatPath, quantizedPath = DEFAULT_QUANTIZED] = paths;
  const read = await loadModel(host, floatPath);
  const rewrites = await rewritesBeside(host, quantizedPath, read.sha256);
  const float = rewrites === undefined ? read : await rewriteModel(read, rewrites);
  const { path, batch, diagnoseSamples = DEFAULT_DIAGNOSE_SAMPLES } = options;
  const wanted = wholeBatches(float, diagnoseSamples);
  const samples = Math.min(wanted, options.samples ?? wanted);
  const loaded = await loadSamples(host, path, { ...options, samples }, {
    onRead: progress.addBytes,
  });
  return await diagnose(
    float.prepared,
    await loadOriginal(host, quantizedPath),
    loaded.samples,
    { data: "evaluation", batch, signal, total: loaded.count, onProgress: progress.report },
  );
}

/** What the manifest beside a quantized model says was done to the float one before; undefined where there is none. */
async function rewritesBeside(
  host: Host,
  path: string,
  modelSha256: string,
): Promise<Rewrites | undefined> {
  const file = sibling(path, "manifest.json");
  if (!await host.fileExists(file)) return undefined;
  const manifest = parseManifest(await readJson(host, file), file);
  return manifest.model.sha256 === modelSha256 ? manifest.rewrites : undefined;
}
