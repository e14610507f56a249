/**
 * From option values to models, samples and targets.
 *
 * @module
 */
import { compactJson } from "../../core/canonical_json.ts";
import { PlimsollError } from "../../core/errors.ts";
import { applyChoices } from "../../tpc/targets/apply_choices.ts";
import {
  addOverrides,
  presetTarget,
  readTarget,
  TARGET_NAMES,
} from "../../tpc/targets/read_target.ts";
import { readModelWithData } from "../../onnx/file/external_data.ts";
import type { Model } from "../../onnx/file/model.ts";
import type { Target } from "../../tpc/targets/target.ts";
import { sha256 } from "../../core/hash.ts";
import type { Host } from "../../core/host.ts";
import { inputsOf, type RawSample, type Sample } from "../../core/tensor.ts";
import type { Stopwatch } from "../../core/timing.ts";
import {
  type FloatModel,
  loadFloatModel,
  type LoadOptions,
} from "../../pipeline/quantize/quantize.ts";
import { isUrl, openBytes } from "../../pipeline/source/byte_source.ts";
import { parseLabels } from "../../pipeline/source/labels.ts";
import { openSamples } from "../../pipeline/source/open_samples.ts";
import { prepareSamples } from "../../pipeline/source/prepare_samples.ts";
import { imageDecoder } from "../../pipeline/source/decode_image.ts";
import { preprocessor } from "../../pipeline/source/preprocess.ts";
import { besideData, readJson, readText, sibling } from "./files.ts";
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

/** Samples ready for the model. */
export interface LoadedSamples {
  /** Number of samples up to `--samples`, when known without reading them. */
  readonly count?: number;
  readonly samples: ReadableStream<Sample>;
  /** Names of the classes; none when nobody knows them. */
  readonly classes: readonly string[];
  /** Whether the samples have labels, when known without reading them. */
  readonly isLabelled?: boolean;
  /** What the data set is, whatever its path. */
  readonly identity: string;
  /** SHA-256 of the preprocessing. */
  readonly preprocessing: string;
}

/** Reads `--model`, by default the demo's, with weights from the files beside it. */
export async function loadModel(
  host: Host,
  path: string | undefined,
  options: ModelOptions & Pick<LoadOptions, "quantized" | "rewrites"> = {},
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

/** Reads from the files beside a model. */
function readerBeside(host: Host, file: string): NonNullable<LoadOptions["readBeside"]> {
  return (location, offset, length) => host.readRange(sibling(file, location), offset, length);
}

/** The whole of a file or of what a server sends. */
async function readModelFile(host: Host, path: string): Promise<Uint8Array<ArrayBuffer>> {
  if (!isUrl(path)) return await host.readFile(path);
  const bytes = await openBytes(host, path);
  return new Uint8Array(await new Response(bytes.stream()).arrayBuffer());
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
  options: DataOptions & { readonly model?: string },
  selection: {
    readonly skip?: (index: number) => boolean;
    readonly watch?: Stopwatch;
    /** Told the bytes of each sample as its container has them: an encoded image, pixels or numbers. */
    readonly onRead?: (bytes: number) => void;
  } = {},
): Promise<LoadedSamples> {
  const preprocessing = await loadPreprocessing(host, path, options.model, options);
  const { maxPixels } = options;
  const decode = preprocessor(preprocessing, imageDecoder(preprocessing, { maxPixels }));
  const { watch, onRead } = selection;
  const preprocess = (raw: RawSample) => {
    onRead?.(rawBytes(raw));
    return watch === undefined ? decode(raw) : watch.time("prepare", () => decode(raw));
  };
  const classesBeside = await loadClasses(host, path);
  const onBroken = options.onBroken === "skip" ? brokenReporter(host) : undefined;
  const { samples, ...source } = await openSamples(host, path, {
    ...{ limit: options.samples, skip: selection.skip, onBroken },
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
  const { count, identity, isLabelled, classes = [] } = source;
  const prepared = samples.pipeThrough(prepareSamples(preprocess, onBroken));
  return {
    ...{ count, samples: prepared, classes, identity, isLabelled },
    preprocessing: await sha256(compactJson(preprocessing)),
  };
}

/** Bytes of the content of a sample, before it is decoded. */
function rawBytes({ encoded, image, input }: RawSample): number {
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

/** A preset by name or a file, with the options applied. */
export async function loadTarget(host: Host, options: TargetOptions): Promise<Target> {
  const { target: name, ...choices } = options;
  const preset = presetTarget(name) ?? await loadTargetFile(host, name);
  const target = applyChoices(preset, choices, "the options");
  const overrides: unknown[] = [];
  for (const text of options.override ?? []) {
    const value = await readOverride(host, text);
    overrides.push(...Array.isArray(value) ? value : [value]);
  }
  return addOverrides(target, overrides);
}

/** JSON on the command line, or the name of a file with JSON. */
async function readOverride(host: Host, text: string): Promise<unknown> {
  if (!/^\s*[[{]/.test(text)) return await readJson(host, text);
  try {
    return JSON.parse(text);
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

async function loadTargetFile(host: Host, name: string): Promise<Target> {
  if (!await host.fileExists(name)) {
    throw new PlimsollError("usage", {
      action: "reading --target",
      wanted: `a name (${TARGET_NAMES.join(", ")}) or a file`,
      found: JSON.stringify(name),
      remedy: "Correct the name or the path",
    });
  }
  const { target, notes } = readTarget(await readJson(host, name), name);
  // With --quiet, too: they say what an imported platform loses.
  for (const note of notes) host.printError(`note: ${note}\n`);
  return target;
}
