/**
 * From option values to models, samples and targets.
 *
 * @module
 */
import { PlimsollError } from "../../tpc/core/errors.ts";
import {
  addOverrides,
  checkAllowed,
  presetTarget,
  readTarget,
  TARGET_NAMES,
} from "../../tpc/targets/read_target.ts";
import { readModelWithData } from "../../tpc/onnx/external_data.ts";
import type { Model } from "../../tpc/onnx/model.ts";
import type { Target } from "../../tpc/targets/target.ts";
import type { Host } from "../core/host.ts";
import { mapStream } from "../core/map_stream.ts";
import type { RawSample, Sample } from "../core/tensor.ts";
import { type FloatModel, loadFloatModel, type LoadOptions } from "../quantize.ts";
import { openSamples } from "../source/open_samples.ts";
import { parsePreprocessing, preprocessor } from "../source/preprocess.ts";
import type { DataOptions, ModelOptions, TargetOptions } from "./options.ts";

/** The demo that runs when no option names anything else. */
const DEMO = {
  model: "data/fashion/model.onnx",
  calibration: "data/fashion/calibration-images-idx3-ubyte.gz",
  evaluation: "data/fashion/evaluation-images-idx3-ubyte.gz",
} as const;

/** Samples ready for the model. */
export interface LoadedSamples {
  readonly count: number;
  readonly samples: ReadableStream<Sample>;
  readonly classes: readonly string[];
}

/** Reads `--model`, by default the demo's, with weights from the files beside it. */
export async function loadModel(
  host: Host,
  path: string | undefined,
  options: ModelOptions & Pick<LoadOptions, "quantized"> = {},
): Promise<FloatModel> {
  const file = path ?? host.assetPath(DEMO.model);
  return await loadFloatModel(await host.readFile(file), file, {
    readBeside: (location, offset, length) =>
      host.readRange(sibling(file, location), offset, length),
    quantized: options.requantize ? "dequantize" : options.quantized ?? "refuse",
  });
}

/** Reads a model as it is in the file, float or quantized, with weights from the files beside it. */
export async function loadOriginal(host: Host, path: string | undefined): Promise<Model> {
  const file = path ?? host.assetPath(DEMO.model);
  const { model } = await readModelWithData(
    await host.readFile(file),
    file,
    (location, offset, length) => host.readRange(sibling(file, location), offset, length),
  );
  return model;
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

/** Fails now rather than after the long part of the work when a file can't be opened. */
export async function checkReadable(host: Host, path: string): Promise<void> {
  await (await host.openFile(path)).cancel();
}

/** Opens samples and preprocesses them on the way. */
export async function loadSamples(
  host: Host,
  path: string,
  options: DataOptions,
): Promise<LoadedSamples> {
  const preprocess = preprocessor(await loadPreprocessing(host, path, options));
  const classes = await loadClasses(host, path);
  const { count, samples } = await openSamples(host, path, { limit: options.samples });
  const prepared = samples.pipeThrough(mapStream((raw: RawSample) => preprocess(raw)));
  return { count, samples: prepared, classes };
}

/** Options over `--preprocess` over `preprocess.json` beside the data over the defaults. */
async function loadPreprocessing(host: Host, path: string, options: DataOptions) {
  const beside = sibling(path, "preprocess.json");
  const file = options.preprocess ?? (await host.fileExists(beside) ? beside : undefined);
  const base = file === undefined ? {} : await readJson(host, file);
  const { scale, mean, std, layout } = options;
  const named = Object.entries({ scale, mean, std, layout }).filter(([, value]) =>
    value !== undefined
  );
  return parsePreprocessing({ ...base as object, ...Object.fromEntries(named) }, file ?? "options");
}

/** Class names: `classes.txt` beside the data, one a line. */
async function loadClasses(host: Host, path: string): Promise<string[]> {
  const file = sibling(path, "classes.txt");
  if (!await host.fileExists(file)) return [];
  return new TextDecoder().decode(await host.readFile(file)).split(/\r?\n/).filter((line) =>
    line !== ""
  );
}

/** A preset by name or a file, with the options applied. */
export async function loadTarget(host: Host, options: TargetOptions): Promise<Target> {
  const { target: name, ...rest } = options;
  const weight = {
    bits: options.weightBits,
    constraint: options.weightConstraint,
    granularity: options.weightGranularity,
    blockSize: options.weightBlock,
    error: options.weightError,
    lpP: options.weightLpP,
    clip: options.weightClip && options.weightClip === "yes",
  };
  const { error, bits, constraint, signed, lpP, percentile, zThreshold } = rest;
  const preset = presetTarget(name) ?? await loadTargetFile(host, name);
  const defined = <T extends object>(values: T) =>
    Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
  const activation = defined({ error, bits, constraint, signed, lpP, percentile, zThreshold });
  checkAllowed(preset, "activation", activation, "the options");
  checkAllowed(preset, "weight", defined(weight), "the options");
  const target = {
    ...preset,
    activation: { ...preset.activation, ...activation },
    weight: { ...preset.weight, ...defined(weight) },
    // What an option says holds for all tensors: sets may not say otherwise.
    operatorSets: preset.operatorSets.map((set) => ({
      ...set,
      ...(set.output && { output: without(set.output, activation) }),
      ...(set.weight && { weight: without(set.weight, defined(weight)) }),
    })),
  };
  const overrides: unknown[] = [];
  for (const text of options.override ?? []) {
    const value = await readOverride(host, text);
    overrides.push(...Array.isArray(value) ? value : [value]);
  }
  return addOverrides(target, overrides);
}

function without<T extends object>(values: T, keys: object): T {
  const rest = Object.entries(values).filter(([key]) => !(key in keys));
  return Object.fromEntries(rest) as T;
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

/** Reads and parses a JSON file. */
export async function readJson(host: Host, path: string): Promise<unknown> {
  const text = new TextDecoder().decode(await host.readFile(path));
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new PlimsollError("input", {
      action: `reading ${JSON.stringify(path)}`,
      wanted: "JSON",
      found: (cause as Error).message,
      remedy: "Correct the file",
      cause,
    });
  }
}

/** Path of a file in the same folder. */
export function sibling(path: string, name: string): string {
  return path.replace(/[^/\\]*$/, name);
}
