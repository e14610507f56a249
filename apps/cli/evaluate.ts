/**
 * `evaluate`: models, data → accuracy.
 *
 * @module
 */
import type { Command } from "commander";
import { canonicalJson } from "../../core/canonical_json.ts";
import { accuracyReport } from "../../pipeline/report/accuracy.ts";
import { diagnosisReport } from "../../pipeline/report/diagnosis.ts";
import type { Context } from "./context.ts";
import { checkPair, diagnoseFiles } from "./diagnose_files.ts";
import {
  addDiagnoseOptions,
  checkDiagnose,
  type DiagnoseCommandOptions,
} from "./diagnose_options.ts";
import { evaluateModels } from "../../pipeline/evaluate/evaluate_models.ts";
import { dataPath, loadOriginal, loadSamples, takenBy } from "./inputs.ts";
import {
  addDataOptions,
  addOutputOptions,
  type DataOptions,
  type OutputOptions,
} from "./options.ts";
import { ProgressPrinter } from "./progress.ts";

interface EvaluateCommandOptions extends DataOptions, OutputOptions, DiagnoseCommandOptions {
  out?: string;
}

/** Adds the command to the program. */
export function addEvaluateCommand(program: Command, context: Context): void {
  const command = program.command("evaluate")
    .description("compare models on the same samples; agreement and SQNR are against the first")
    .argument(
      "[models...]",
      "ONNX models, float or quantized (default: the demo's and out/model.onnx)",
    );
  addOutputOptions(addDiagnoseOptions(addDataOptions(command, "evaluation samples")))
    .option("--out <file>", "write the result as JSON, too")
    .addHelpText(
      "after",
      `
Examples:
  deno task evaluate
  deno task evaluate m.onnx m-int8/model.onnx --data t10k-images-idx3-ubyte.gz
  deno task evaluate m.onnx m-int8/model.onnx --data t10k-images-idx3-ubyte.gz --diagnose

With --diagnose the second model, a QDQ model, is compared with the first, tensor by tensor; rewrites that
the manifest beside it names are applied to the first.
`,
    )
    .action((paths: string[], options: EvaluateCommandOptions) => run(paths, options, context));
}

async function run(
  paths: string[],
  options: EvaluateCommandOptions,
  { host, screen, signal }: Context,
): Promise<void> {
  checkDiagnose(options);
  if (options.diagnose) checkPair(paths, options.data);
  const progress = new ProgressPrinter(screen, options);
  if (options.out !== undefined) await host.checkWritable(options.out);
  const data = dataPath(host, { data: options.data, model: paths[0], role: "evaluation" });
  const models = [];
  if (paths.length === 0) {
    models.push({ name: "float", model: await loadOriginal(host, undefined) });
  }
  for (const path of paths.length === 0 ? ["out/model.onnx"] : paths) {
    models.push({ name: path, model: await loadOriginal(host, path) });
  }
  const taken = takenBy(host, models[0].model, { path: paths[0], ...options });
  const samples = await loadSamples(host, data, { ...options, ...taken }, {
    onRead: progress.addBytes,
  });
  const evaluations = await evaluateModels(models, samples, {
    batch: options.batch,
    signal,
    onProgress: progress.report,
  });
  progress.step(`evaluated ${models.length} models on ${evaluations[0].samples} samples`);
  const diagnosis = options.diagnose
    ? await diagnoseFiles(paths, { ...options, ...taken, path: data }, { host, signal }, progress)
    : undefined;
  if (diagnosis) progress.step(`diagnosed on ${diagnosis.samples} samples`);
  const json = canonicalJson({ models: evaluations, ...(diagnosis && { diagnosis }) });
  if (options.out !== undefined) await host.writeFiles(new Map([[options.out, json]]));
  if (options.json) return host.print(json);
  const width = host.terminal?.outputColumns();
  host.print(
    accuracyReport(evaluations) +
      (diagnosis ? `\n${diagnosisReport(diagnosis, { tensors: "all", width })}` : ""),
  );
}
