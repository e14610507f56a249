/**
 * The check of a model that is emitted from a manifest alone: no samples are at hand, so its inputs are made up within
 * the ranges that calibration found.
 *
 * @module
 */
import type { InputTensor, Tensor } from "../../core/tensor.ts";
import type { Model } from "../../onnx/file/model.ts";
import type { Manifest } from "../../tpc/manifest.ts";
import { createSession } from "../inference/default_runtime.ts";
import { type ModelInput, modelInputs } from "../inference/model_inputs.ts";
import type { Runtime } from "../inference/runtime.ts";
import { checkModel, type CheckRun, faultError } from "./check_model.ts";

/** Sizes that dynamic dimensions are tried with: of sequences, of images. */
const DYNAMIC_SIZES = [1, 32, 224];
const RUNS = 2;
/** dB that a level may lose on inputs like these: most of what they make is out of range. */
const ALLOWED_LOSS = 10;

/**
 * Loads an emitted model at every level of the runtime's optimizations, and runs it where inputs can be made up that the
 * float model takes.
 *
 * @throws {PlimsollError} kind `model` when a level refuses it or computes something else than is written.
 */
export async function checkEmitted(
  { original, emitted, manifest }: {
    /** The float model. */
    readonly original: Model;
    readonly emitted: Model;
    readonly manifest: Manifest;
  },
  runtime?: Runtime,
): Promise<void> {
  const inputs = modelInputs(original.graph);
  const { runs, outputs } = await referenceOf(original, inputs, manifest, runtime);
  const { fault } = await checkModel(emitted, runs, outputs, {
    runtime,
    levelRuns: RUNS,
    allowedLoss: ALLOWED_LOSS,
  });
  if (fault !== undefined) throw faultError(fault);
}

interface Made {
  readonly runs: CheckRun[];
  readonly outputs: Map<string, Tensor>[];
}

/** Runs that the float model takes; none where nobody knows what it takes. */
async function referenceOf(
  model: Model,
  inputs: readonly ModelInput[],
  manifest: Manifest,
  runtime: Runtime | undefined,
): Promise<Made> {
  await using session = await createSession(model, { name: "the float model", runtime });
  if (inputs.some(({ shape }) => shape === undefined)) return { runs: [], outputs: [] };
  const isFixed = inputs.every(({ shape, batchAxis = 0 }) =>
    shape!.every((size, axis) => size !== null || axis === batchAxis)
  );
  for (const size of isFixed ? [1] : DYNAMIC_SIZES) {
    try {
      const runs = Array.from({ length: RUNS }, (_, run) => ({
        feeds: new Map(inputs.map((input) => [input.name, madeUp(input, size, run, manifest)])),
        samples: 1,
      }));
      const outputs: Map<string, Tensor>[] = [];
      for (const { feeds } of runs) outputs.push(await session.run(feeds, session.outputs));
      return { runs, outputs };
    } catch {
      // Not this size, then.
      continue;
    }
  }
  return { runs: [], outputs: [] };
}

/** Values spread over the range of the input, in an order that no axis repeats. */
function madeUp(
  { name, shape, isInteger, batchAxis = 0 }: ModelInput,
  size: number,
  run: number,
  { activations }: Manifest,
): InputTensor {
  const dims = shape!.map((known, axis) => known ?? (axis === batchAxis ? 1 : size));
  const length = dims.reduce((product, dim) => product * dim, 1);
  const own = activations.find(({ tensor }) => tensor === name)?.statistics;
  const [low, high] = [own?.min ?? 0, own?.max ?? 1];
  const fraction = (i: number) => (0.618034 * (i + 1) + 0.37 * run + i * i * 0.0137) % 1;
  const data = isInteger
    ? Float32Array.from({ length }, (_, i) => Number(fraction(i) > 0.5))
    : Float32Array.from({ length }, (_, i) => low + (high - low) * fraction(i));
  return { data, dims };
}
