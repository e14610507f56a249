/**
 * `compare`: model, data, several methods, bits, targets → a quantized model for each, and what each is worth.
 *
 * @module
 */
import { type Command, Option } from "commander";
import { canonicalJson } from "../../core/canonical_json.ts";
import { PlimsollError } from "../../core/errors.ts";
import { compareModels } from "../../pipeline/compare/comparison.ts";
import { LISTED, MAX_VARIANTS } from "../../pipeline/compare/variants.ts";
import type { Host } from "../../core/host.ts";
import { evaluateVariants } from "../../pipeline/evaluate/evaluate_variants.ts";
import { serialiseFor } from "../../pipeline/quantize/quantize.ts";
import { quantizeVariants, type VariantPass } from "../../pipeline/quantize/quantize_variants.ts";
import { comparisonReport } from "../../pipeline/report/comparison.ts";
import { bytesOf, describeComparison, filesOf, reportsOf } from "./compare_files.ts";
import { loadVariants, type PlannedVariant, type VariantOptions } from "./compare_variants.ts";
import type { Context } from "./context.ts";
import { checkReadable, dataPath, loadModel, loadSamples, modelTitle } from "./inputs.ts";
import { takeLists } from "./list_options.ts";
import {
  addDataOptions,
  addModelOptions,
  addOutputOptions,
  addTargetOptions,
  type DataOptions,
  type ModelOptions,
  type OutputOptions,
} from "./options.ts";
import { folder, positiveInteger } from "./option_values.ts";
import { ProgressPrinter } from "./progress.ts";
import { prepareWork, type WorkOptions } from "./work_options.ts";

interface CompareCommandOptions
  extends
    DataOptions,
    VariantOptions,
    ModelOptions,
    Pick<WorkOptions, "workers" | "onNonfinite">,
    OutputOptions {
  model?: string;
  evalData?: string;
  evalSamples?: number;
  out: string;
}

/** Adds the command to the program. */
export function addCompareCommand(program: Command, context: Context): void {
  const command = program.command("compare")
    .description(
      "quantize a model in several ways from as few passes as can be, and evaluate them side by side",
    )
    .option(
      "--model <file>",
      "float ONNX model (default: the demo's, MobileNetV2-style on Fashion-MNIST)",
    );
  addTargetOptions(addDataOptions(command, "calibration samples")).addOption(
    new Option(
      "--weight-rounding <how>",
      "gptq: codes by which layers err least, from second moments; another pass for each variant (default: nearest)",
    ).choices(["nearest", "gptq"]),
  );
  takeLists(command, LISTED);
  addOutputOptions(addModelOptions(command))
    .option(
      "--eval-data <path>",
      "samples to compare on, best with labels (default: the demo's, else the calibration samples)",
    )
    .option("--eval-samples <n>", "compare on at most this many samples", positiveInteger)
    .option(
      "--workers <n>",
      "calibrate with n workers side by side; never changes a result",
      positiveInteger,
      1,
    )
    .addOption(
      new Option("--on-nonfinite <policy>", "what becomes of a sample that makes NaN or infinity")
        .choices(["fail", "skip"]).default("fail"),
    )
    .option("--out <folder>", "where the results go", folder, "out/compare")
    .addHelpText(
      "after",
      `
Options with ,… take several values; every combination is a variant, ${MAX_VARIANTS} at most. Where nothing
differs, --error is mse,noclipping.

Examples:
  deno task compare                                   the demo: MSE and no clipping
  deno task compare --error mse,kl,noclipping --bits 8,4
  deno task compare --target onnxruntime --bias-correction yes,no --equalize no,yes
  deno task compare --model m.onnx --data images/ --eval-data val/ --target default,onnxruntime

Writes a folder with model.onnx and manifest.json for each variant, the statistics of each calibration
pass, and comparison.json.
`,
    )
    .action((options: CompareCommandOptions) => run(options, context));
}

async function run(options: CompareCommandOptions, context: Context): Promise<void> {
  const { host, screen, signal } = context;
  const { model, out } = options;
  const progress = new ProgressPrinter(screen, options);
  const { variants, leftOut } = await loadVariants(host, options);
  for (const { name, reason } of leftOut) progress.note(`left out ${name}: ${reason}`);
  const float = await loadModel(host, model, options);
  await host.checkWritable(`${out}/comparison.json`);
  const path = dataPath(host, { data: options.data, model, role: "calibration" });
  const evalPath = evaluationPath(host, options, path, progress);
  await checkReadable(host, evalPath);

  if (path === "-") checkPipe(variants);
  const { workers, onNonfinite } = options;
  const work = await prepareWork(host, { workers, onNonfinite, every: 1 }, {
    ...{ model: float.sha256, progress },
  });
  const { startWorker, onNonFinite, onSkip } = work.options;
  const quantized = await quantizeVariants(float, variants, {
    ...{ workers, startWorker, onNonFinite, onSkip, signal },
    batch: options.batch,
    open: async () => {
      const { samples, count, identity, preprocessing } = await loadSamples(host, path, options, {
        onRead: progress.addBytes,
      });
      return { samples, total: count, source: identity, preprocessing };
    },
    onPass: (pass) => announce(pass, path, progress),
    onProgress: progress.report,
    onVariant: (name) => progress.note(`made ${name}`),
  });
  let source = "";
  const measured = await evaluateVariants(
    { name: "float", model: float.original },
    quantized.variants,
    {
      ...{ signal, batch: options.batch, onProgress: progress.report },
      // A pipe can't be read again.
      ...(evalPath === "-" ? { openSessions: MAX_VARIANTS } : {}),
      open: async () => {
        const isCalibration = options.evalData === undefined && evalPath === path;
        const samples = options.evalSamples ?? (isCalibration ? options.samples : undefined);
        const loaded = await loadSamples(host, evalPath, { ...options, samples }, {
          onRead: progress.addBytes,
        });
        source = loaded.identity;
        return loaded;
      },
    },
  );
  const sizes = [serialiseFor(float, float.original), ...quantized.variants].map(bytesOf);
  const comparison = compareModels(
    measured.map((entry, i) => ({ ...entry, bytes: sizes[i] })),
  );
  const result = describeComparison({
    float,
    planned: variants,
    leftOut,
    source,
    comparison,
    quantized,
  });
  const files = filesOf(out, variants, quantized);
  const pages = await reportsOf(out, variants, quantized, { title: modelTitle(model), comparison });
  for (const [path, page] of pages) files.set(path, page);
  files.set(`${out}/comparison.json`, canonicalJson(result));
  await host.writeFiles(files);
  const latency = measured.map(({ evaluation: { name }, ...entry }) => ({
    ...{ name, milliseconds: entry.milliseconds, ratio: entry.latency },
  }));
  if (options.json) {
    return host.print(canonicalJson({ files: [...files.keys()], ...result, latency }));
  }
  const table = comparisonReport({ ...comparison, latency: latency.map(({ ratio }) => ratio) });
  host.print(`${table}\nWrote ${files.size} files into ${out}\n`);
}

/** Where samples to compare on come from; without any, from the calibration, which is said. */
function evaluationPath(
  host: Host,
  { model, data, evalData }: CompareCommandOptions,
  calibration: string,
  progress: ProgressPrinter,
): string {
  if (evalData !== undefined) return evalData;
  if (model === undefined && data === undefined) return dataPath(host, { role: "evaluation" });
  if (calibration === "-") {
    throw new PlimsollError("usage", {
      action: "reading the options",
      wanted: "samples to compare on",
      found: "standard input, which the calibration reads",
      remedy: "Name them with --eval-data",
    });
  }
  progress.note("no --eval-data: compared on the calibration samples, which flatters all variants");
  return calibration;
}

/**
 * Refuses variants that need further passes where samples can be read once only; `announce` refuses those that one
 * calibration doesn't serve.
 *
 * @throws {PlimsollError} kind `usage`.
 */
function checkPipe(variants: readonly PlannedVariant[]): void {
  const rounded = variants.find(({ weightRounding }) => weightRounding === "gptq");
  if (rounded !== undefined) throw onePass(`${rounded.name}, which needs ${PASSES.round}`);
}

function onePass(found: string): PlimsollError {
  return new PlimsollError("usage", {
    action: "comparing variants on standard input",
    wanted: "variants that one pass serves",
    found,
    remedy: "Save the data to a file, or compare variants of one target and one --constraint",
  });
}

/** What passes are called. */
const PASSES: Readonly<Record<VariantPass["stage"], string>> = {
  ranges: "a pass of ranges for rewrites",
  calibrate: "a calibration pass",
  round: "a pass of moments for rounding",
};

/** Variants that are named when a pass begins. */
const MAX_NAMED = 4;

/** Says which variants a pass is for. */
function announce(
  { stage, number, count, variants }: VariantPass,
  path: string,
  progress: ProgressPrinter,
): void {
  if (path === "-" && (stage !== "calibrate" || count > 1)) {
    throw onePass(stage === "calibrate" ? `${count} passes` : `some that need ${PASSES[stage]}`);
  }
  const left = variants.length - MAX_NAMED;
  const names = variants.slice(0, MAX_NAMED).join(", ") + (left > 0 ? ` and ${left} more` : "");
  progress.note(`${PASSES[stage].replace(/^an? /, "")} ${number} of ${count}, for ${names}`);
}
