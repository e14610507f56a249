/**
 * From option values to models, samples and targets.
 *
 * @module
 */
import { parseJsonText } from "../../core/parse_json.ts";
import { PlimsollError } from "../../core/errors.ts";
import { parseManifest } from "../../tpc/manifest.ts";
import {
  parseRecipe,
  type Recipe,
  type ResolvedRecipe,
  resolveRecipe,
} from "../../tpc/recipe/recipe.ts";
import type { Preprocessing } from "../../tpc/recipe/preprocessing.ts";
import { checkOverrides, TARGET_NAMES } from "../../tpc/targets/read_target.ts";
import { readModelWithData } from "../../onnx/file/external_data.ts";
import type { Model } from "../../onnx/file/model.ts";
import type { Host } from "../../core/host.ts";
import { inputsOf, type RawSample } from "../../core/tensor.ts";
import type { Stopwatch } from "../../core/timing.ts";
import type { FloatModel, LoadOptions } from "../../pipeline/quantize/float_model.ts";
import { loadFloatModel } from "../../pipeline/quantize/quantize.ts";
import { isUrl, openBytes } from "../../pipeline/source/byte_source.ts";
import { modelInputs } from "../../pipeline/inference/model_inputs.ts";
import { impliedPreprocessing } from "../../pipeline/source/implied_preprocessing.ts";
import { parseLabels } from "../../pipeline/source/labels.ts";
import { openSamples } from "../../pipeline/source/open_samples.ts";
import { prepareSource } from "../../pipeline/source/prepared_samples.ts";
import type { OpenedSamples, SampleOpener } from "../../pipeline/source/samples.ts";
import type { Tokenize } from "../../pipeline/source/text_inputs.ts";
import { tokenizeBeside } from "./tokenizer_files.ts";
import { wishesIn } from "./wish_options.ts";
import { besideData, readerBeside, readJson, readText, readWhole } from "./files.ts";
import { loadPreprocessing } from "./preprocess_options.ts";
import type { DataOptions, ModelOptions, TargetOptions } from "./options.ts";

/** The demo that runs when no option names anything else. */
const DEMO = {
  model: "data/fashion/model.onnx",
  calibration: "data/fashion/calibration-images-idx3-ubyte.gz",
  evaluation: "data/fashion/evaluation-images-idx3-ubyte.gz",
} as const;

/** Broken samples that are named one by one. */
const MAX_BROKEN_NOTES = 20;

/** Samples ready for the model, as `--data` names them. */
export interface LoadedSamples extends OpenedSamples {
  /** Names of the classes; none when nobody knows them. */
  readonly classes: readonly string[];
  /** Whether the samples have labels, when known without reading them. */
  readonly isLabelled?: boolean;
  readonly source: string;
  readonly preprocessing: Preprocessing;
}

/** How samples are read, apart from where they lie. */
export type SampleOptions = DataOptions & {
  readonly model?: string;
  /** Preprocessing of `--recipe`, which files beside the data don't replace. */
  readonly recipePreprocessing?: Preprocessing;
  /** What the model's input says where nothing else does. */
  readonly implied?: Partial<Preprocessing>;
  /** Makes numbers of text. */
  readonly tokenize?: Tokenize;
};

/** How a model takes samples: what its input says of images, and what makes its inputs of text. */
export function takenBy(
  host: Host,
  model: Model,
  { path, tokenizer }: { readonly path?: string; readonly tokenizer?: string },
): Pick<SampleOptions, "implied" | "tokenize"> {
  const inputs = modelInputs(model.graph);
  return {
    implied: impliedPreprocessing(inputs),
    tokenize: tokenizeBeside(host, path, { tokenizer, inputs }),
  };
}

/** Opens the samples of a path for every pass. */
export function samplesAt(
  host: Host,
  path: string,
  options: SampleOptions,
  hooks: Pick<Selection, "watch" | "onRead">,
): SampleOpener {
  return {
    ...(path === "-" ? { isOneShot: true, name: "standard input" } : {}),
    open: (skip) => loadSamples(host, path, options, { ...hooks, skip }),
  };
}

/** What is read of the samples, and who is told. */
interface Selection {
  readonly skip?: (index: number) => boolean;
  readonly watch?: Stopwatch;
  /** Told the bytes of each sample as its container has them: an encoded image, pixels or numbers. */
  readonly onRead?: (bytes: number) => void;
}

/** Reads `--model`, by default the demo's, with weights from the files beside it. */
export async function loadModel(
  host: Host,
  path: string | undefined,
  options: ModelOptions & Partial<Pick<LoadOptions, "quantized" | "rewrites">> = {},
): Promise<FloatModel> {
  const file = path ?? host.assetPath(DEMO.model);
  return await loadFloatModel(await readModelFile(host, file), file, {
    readBeside: readerBeside(host, file),
    rewrites: options.rewrites,
    quantized: options.requantize ? "dequantize" : options.quantized ?? "refuse",
  });
}

/** Reads a model as it is in the file, float or quantized, with weights from the files beside it. */
export async function loadOriginal(host: Host, path: string | undefined): Promise<Model> {
  const file = path ?? host.assetPath(DEMO.model);
  const { model } = await readModelWithData(
    await readModelFile(host, file),
    file,
    readerBeside(host, file),
  );
  return model;
}

/** What a report calls the model: its file, without folders. */
export function modelTitle(path: string | undefined): string {
  return path === undefined ? "demo: MobileNetV2 on Fashion-MNIST" : path.split(/[/\\]/).at(-1)!;
}

/** The whole of a file or of what a server sends. */
async function readModelFile(host: Host, path: string): Promise<Uint8Array<ArrayBuffer>> {
  if (!isUrl(path)) return await host.readFile(path);
  const bytes = await openBytes(host, path);
  return await readWhole(bytes);
}

/**
 * Path of the data: what the option says, or the demo's when the model is the demo's, too.
 *
 * @throws {PlimsollError} kind `usage` when a model was named and data were not.
 */
export function dataPath(
  host: Host,
  { data, model, role }: { data?: string; model?: string; role: "calibration" | "evaluation" },
): string {
  if (data !== undefined) return data;
  if (model === undefined) return host.assetPath(DEMO[role]);
  throw new PlimsollError("usage", {
    action: "reading the options",
    wanted: `${role} data for ${JSON.stringify(model)}`,
    found: "no --data",
    remedy: "Name the data with --data",
  });
}

/** Fails now rather than after the long part of the work when data can't be opened. */
export async function checkReadable(host: Host, path: string): Promise<void> {
  // A pipe can be read only once, and a folder was there when its files were listed.
  if (path === "-" || !isUrl(path) && await host.listFiles(path) !== undefined) return;
  await (await openBytes(host, path)).cancel();
}

/** Opens samples and preprocesses them on the way. */
export async function loadSamples(
  host: Host,
  path: string,
  options: SampleOptions,
  selection: Selection = {},
): Promise<LoadedSamples> {
  const preprocessing = await loadPreprocessing(host, path, options.model, options);
  const { watch, onRead } = selection;
  const classesBeside = await loadClasses(host, path);
  const onBroken = options.onBroken === "skip" ? brokenReporter(host) : undefined;
  const source = await openSamples(host, path, {
    limit: options.samples,
    skip: selection.skip,
    onBroken,
    format: options.dataFormat,
    inputShape: options.inputShape,
    onNote: (text) => host.printError(`note: ${text}\n`),
    labels: {
      file: options.labels === undefined
        ? undefined
        : parseLabels(await readText(host, options.labels), options.labels),
      pattern: options.labelPattern,
      classes: classesBeside,
    },
  });
  const { isLabelled, classes = [] } = source;
  const prepared = prepareSource(source, {
    preprocessing,
    maxPixels: options.maxPixels,
    onBroken,
    tokenize: options.tokenize,
    around: (raw, prepare) => {
      onRead?.(rawBytes(raw));
      return watch === undefined ? prepare(raw) : watch.time("prepare", () => prepare(raw));
    },
  });
  return { ...prepared, classes, isLabelled };
}

/** Bytes of the content of a sample, before it is decoded; of a text its characters. */
function rawBytes({ encoded, image, input, text }: RawSample): number {
  if (text !== undefined) return text.text.length + (text.pair?.length ?? 0);
  const pixels = encoded ?? image?.pixels;
  if (pixels !== undefined) return pixels.byteLength;
  if (input === undefined) return 0;
  return inputsOf({ input }).reduce((sum, [_, { data }]) => sum + data.byteLength, 0);
}

/** Class names: `classes.txt` in the folder of data or beside the file, one a line. */
async function loadClasses(host: Host, path: string): Promise<string[] | undefined> {
  const file = await besideData(host, path, "classes.txt");
  if (file === undefined) return undefined;
  return (await readText(host, file)).split(/\r?\n/).filter((line) => line !== "");
}

/** Says which samples are left out, the first of them one by one. */
function brokenReporter(host: Host): (error: PlimsollError) => void {
  let count = 0;
  return (error) => {
    count++;
    if (count <= MAX_BROKEN_NOTES) host.printError(`broken sample ${count}: ${error.message}\n`);
    else if (count % 100 === 0) host.printError(`${count} broken samples so far\n`);
  };
}

/** The recipe that options come to, resolved, and what `--recipe` says besides. */
export interface LoadedRecipe extends ResolvedRecipe {
  /** Samples that the run of `--recipe` has read, where that is a manifest. */
  readonly samples?: number;
}

/** Options over `--recipe` over the defaults. What a platform of MCT says and a target can't is printed. */
export async function loadRecipe(host: Host, options: TargetOptions): Promise<LoadedRecipe> {
  const { recipe: given, samples } = options.recipe === undefined
    ? { recipe: {}, samples: undefined }
    : await loadRecipeFile(host, options.recipe);
  const overrides: unknown[] = [];
  for (const text of options.override ?? []) {
    const value = await readOverride(host, text);
    overrides.push(...Array.isArray(value) ? value : [value]);
  }
  const resolved = resolveRecipe({
    ...given,
    ...(options.target === undefined ? {} : { target: await targetNamed(host, options.target) }),
    ...wishesIn(options as Readonly<Record<string, unknown>>),
    overrides: [...given.overrides ?? [], ...checkOverrides(overrides)],
  });
  // With --quiet, too: they say what an imported platform loses.
  for (const note of resolved.notes) host.printError(`note: ${note}\n`);
  return { ...resolved, ...(samples === undefined ? {} : { samples }) };
}

/** A recipe file, or the recipe of a manifest with the number of samples that it read. */
async function loadRecipeFile(host: Host, path: string) {
  const value = await readJson(host, path);
  const isManifest = typeof value === "object" && value !== null && "activations" in value;
  if (!isManifest) return { recipe: parseRecipe(value, path), samples: undefined };
  const { recipe, data } = parseManifest(value, path);
  if (recipe !== undefined) {
    return { recipe: recipe as Recipe, samples: data.samples + data.skipped };
  }
  throw new PlimsollError("usage", {
    action: `reading recipe ${JSON.stringify(path)}`,
    wanted: "a manifest that carries its recipe",
    found: "one of an earlier version, which has hashes only",
    remedy: "Name target and options, or make the manifest again",
  });
}

/** JSON on the command line, or the name of a file with JSON. */
async function readOverride(host: Host, text: string): Promise<unknown> {
  if (!/^\s*[[{]/.test(text)) return await readJson(host, text);
  try {
    return parseJsonText(text);
  } catch (cause) {
    throw new PlimsollError("usage", {
      action: "reading --override",
      wanted: "JSON, or the name of a file with JSON",
      found: (cause as Error).message,
      remedy: `Write it as '{"match": {"node": "head*"}, "quantize": false}'`,
      cause,
    });
  }
}

/** The name of a preset as it is, or the content of a target file. */
async function targetNamed(host: Host, name: string): Promise<NonNullable<Recipe["target"]>> {
  if (TARGET_NAMES.includes(name) || !await host.fileExists(name)) return name;
  return await readJson(host, name) as Record<string, unknown>;
}
