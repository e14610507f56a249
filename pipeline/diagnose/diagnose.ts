/**
 * Layer-wise debugging: a float model × its quantized model × samples → diagnosis.
 *
 * Each batch runs through three sessions:
 *
 *     the float model ─► every quantized tensor T, and the float outputs
 *     the quantized model, as users run it ─► the same: what has accumulated
 *     the quantized model, cut at every quantized T, which gets the float T ─► the same: what each layer adds
 *
 * Sums are kept, tensors aren't: memory doesn't grow with the samples.
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";
import { option } from "../../core/option_words.ts";
import { operatorNamed } from "../../onnx/operators/operators.ts";
import { cutAtQuantizers } from "../../onnx/quantized/cut_at_quantizers.ts";
import type { Model } from "../../onnx/file/model.ts";
import { outlineGraph } from "../../onnx/graph/outline.ts";
import { type ActivationQuantizer, readQuantizers } from "../../onnx/quantized/read_quantizers.ts";
import type { OnProgress } from "../../core/progress.ts";
import type { Batch, InputTensor, Sample, Tensor } from "../../core/tensor.ts";
import { batchSizeFor, exposeTensors, feedsFor, modelInputs } from "../inference/infer.ts";
import { tokenFitter } from "../inference/fit_tokens.ts";
import { createSession } from "../inference/default_runtime.ts";
import { SessionStack } from "../inference/session_stack.ts";
import { runBatch } from "../inference/run_batch.ts";
import type { InferenceSession, Runtime } from "../inference/runtime.ts";
import { batchSamples } from "../source/batches.ts";
import type { DiagnosedTensor, Diagnosis } from "./diagnosis.ts";
import { ErrorSums } from "./error_sums.ts";
import { findFaults } from "./faults.ts";

/** What {@linkcode diagnose} needs. */
export interface DiagnoseOptions {
  /** Where the samples come from. */
  readonly data: Diagnosis["data"];
  /** Tensors that are named as the worst, default 5. */
  readonly worst?: number;
  /** Where models run; the default runtime when absent. */
  readonly runtime?: Runtime;
  /** Samples per inference run, by default by their size. */
  readonly batch?: number;
  /** Number of samples to come, for progress. */
  readonly total?: number;
  /** Told after every batch. */
  readonly onProgress?: OnProgress;
  /** Stops before the next batch. */
  readonly signal?: AbortSignal;
}

/** What a run is fed with. */
type Feeds = ReadonlyMap<string, InputTensor>;

/** Tensors that are named when nobody says how many. */
export const DEFAULT_WORST = 5;

/** A tensor that both models have. */
interface Compared {
  readonly tensor: string;
  readonly quantizer: ActivationQuantizer | null;
  /** Its name in the quantized model. */
  readonly quantized: string;
  /** Its name in the model that is cut. */
  readonly local: string;
  readonly sums: { readonly accumulated: ErrorSums; readonly local: ErrorSums };
}

/**
 * Compares a quantized model with its float model, tensor by tensor. Tries no remedies.
 *
 * @param float The prepared float model, with the same rewrites as the quantized one: a tensor that a rewrite has scaled
 * would show the scale as an error.
 * @param quantized A QDQ model.
 * @param samples Consumed; cancelled when anything fails.
 * @throws {PlimsollError} kind `model` when nothing quantized has a counterpart in the float model, kind `data` when
 * there is no sample or samples don't fit, kind `runtime`.
 *
 * @example The layers that lose most
 * ```ts ignore
 * const { model, statistics } = await quantize(float, samples(), { target });
 * const diagnosis = await diagnose(float.prepared, readModel(model, "q"), samples(), { data: "calibration" });
 * console.log(diagnosis.worst, diagnosis.output?.sqnr);
 * ```
 */
export async function diagnose(
  float: Model,
  quantized: Model,
  samples: ReadableStream<Sample>,
  options: DiagnoseOptions,
): Promise<Diagnosis> {
  const { data, worst = DEFAULT_WORST, total, onProgress, signal, runtime } = options;
  try {
    const { compared, missing, cut } = pair(float, quantized);
    const inputs = modelInputs(float.graph);
    await using sessions = new SessionStack();
    const open = async (model: Model, name: string, optimization?: "disabled") =>
      sessions.use(await createSession(model, { name, optimization, runtime }));
    const names = {
      float: compared.map(({ tensor }) => tensor),
      quantized: compared.map(({ quantized }) => quantized),
      local: compared.map(({ local }) => local),
    };
    const reference = await open(exposeTensors(float, names.float), "the float model");
    const whole = await open(exposeTensors(quantized, names.quantized), "the quantized model");
    // As it is written: ONNX Runtime would quantize what stands between quantized tensors by its own rules.
    const parts = await open(cut.model, "the quantized model, cut at its quantizers", "disabled");
    const isInput = new Set(inputs.map(({ name }) => name));
    let done = 0;
    const sink = new WritableStream<Batch>({
      write: async (batch) => {
        const feeds = feedsFor(batch, inputs);
        const run = (session: InferenceSession, feeds: Feeds, outputs: readonly string[]) =>
          runBatch(session, feeds, outputs, batch.samples.length);
        const floats: Map<string, Tensor> = await run(
          reference,
          feeds,
          names.float.filter((name) => !isInput.has(name)),
        );
        for (const name of names.float) {
          if (isInput.has(name)) floats.set(name, feeds.get(name) as Tensor);
        }
        const accumulated = await run(whole, feeds, names.quantized);
        const cutFeeds = new Map<string, InputTensor>(feeds);
        for (const [tensor, { inputs }] of cut.ends) {
          for (const name of inputs) cutFeeds.set(name, floats.get(tensor)!);
        }
        const local = await run(parts, cutFeeds, names.local);
        for (const entry of compared) {
          const { data } = floats.get(entry.tensor)!;
          entry.sums.accumulated.add(data, accumulated.get(entry.quantized)!.data);
          entry.sums.local.add(data, local.get(entry.local)!.data);
        }
        done += batch.samples.length;
        onProgress?.({ stage: "diagnose", done, total });
      },
    }, { highWaterMark: 1 });
    await samples.pipeThrough(
      batchSamples(batchSizeFor(inputs, options.batch), tokenFitter(inputs)),
    )
      .pipeTo(sink, { signal });
    if (done === 0) throw noSample();
    return describe(compared, { quantized, missing, data, samples: done, worst });
  } catch (error) {
    if (!samples.locked) await samples.cancel(error).catch(() => {});
    throw error;
  }
}

/** Finds the tensors that both models have. */
function pair(float: Model, quantized: Model) {
  const known = new Set([
    ...float.graph.input.map(({ name }) => name),
    ...float.graph.node.flatMap(({ output }) => output),
  ]);
  const all = readQuantizers(quantized).activations.filter(({ dequantized }) =>
    dequantized.length > 0
  );
  const quantizers = all.filter(({ tensor }) => known.has(tensor));
  if (quantizers.length === 0) {
    throw new PlimsollError("model", {
      action: "comparing a quantized model with its float model, layer by layer",
      wanted: "a QDQ model whose tensors have the names that they have in the float model",
      found: all.length === 0
        ? "one without QuantizeLinear and DequantizeLinear"
        : `none among ${all.length}, such as ${JSON.stringify(all[0].tensor)}`,
      remedy: "Give the float model that it was made from first, then the quantized one",
    });
  }
  const cut = cutAtQuantizers(quantized, quantizers);
  const sums = () => ({ accumulated: new ErrorSums(), local: new ErrorSums() });
  const compared: Compared[] = quantizers.map((quantizer) => ({
    tensor: quantizer.tensor,
    quantizer,
    quantized: quantizer.dequantized[0],
    sums: sums(),
    local: cut.ends.get(quantizer.tensor)!.output,
  }));
  const ends = new Set(quantizers.flatMap(({ dequantized }) => dequantized));
  const floatOutputs = outlineGraph(quantized.graph).outputs.filter(({ name, type }) =>
    type === "float" && !ends.has(name) && known.has(name)
  );
  for (const { name } of floatOutputs) {
    compared.push({ tensor: name, quantizer: null, quantized: name, local: name, sums: sums() });
  }
  const missing = all.filter(({ tensor }) => !known.has(tensor)).map(({ tensor }) => tensor);
  return { compared, missing, cut };
}

interface Described extends Pick<Diagnosis, "data" | "samples" | "missing"> {
  readonly quantized: Model;
  readonly worst: number;
}

function describe(
  compared: readonly Compared[],
  { quantized, worst, ...rest }: Described,
): Diagnosis {
  const producers = new Map(
    outlineGraph(quantized.graph).nodes.flatMap((node) =>
      node.outputs.map((name) => [name, node] as const)
    ),
  );
  const results = compared.map(({ quantized, sums }) => ({
    quantized,
    accumulated: sums.accumulated.result(),
    local: sums.local.result(),
  }));
  const faults = findFaults(quantized, results);
  const tensors = compared.map((entry, i): DiagnosedTensor => {
    const { tensor, quantizer, sums } = entry;
    const { accumulated, local } = results[i];
    const node = producers.get(entry.quantized);
    return {
      tensor,
      producer: quantizer === null
        ? node === undefined ? null : { op: node.op, node: node.name }
        : quantizer.producer,
      quantizer: quantizer && {
        bits: quantizer.bits,
        signed: quantizer.signed,
        scale: quantizer.scales[0],
        low: quantizer.range[0],
        high: quantizer.range[1],
      },
      elements: sums.local.elements,
      accumulated,
      local,
      isFault: faults.has(entry.quantized),
    };
  });
  const [first] = quantized.graph.output;
  const output = tensors.find(({ tensor }, i) =>
    tensor === first?.name || compared[i].quantized === first?.name
  );
  return {
    schemaVersion: 1,
    ...rest,
    tensors,
    worst: worstOf(tensors).slice(0, worst).map(({ tensor }) => tensor),
    output: output === undefined ? null : { tensor: output.tensor, ...output.accumulated },
    remedies: null,
  };
}

/** Faults, then tensors by local SQNR, the least first; without those that only move what has a quantizer already. */
function worstOf(tensors: readonly DiagnosedTensor[]): DiagnosedTensor[] {
  const rank = ({ local: { sqnr, maxAbs } }: DiagnosedTensor) =>
    sqnr ?? (maxAbs === 0 ? Infinity : -Infinity);
  // What is only moved has the error that it had before.
  const isMoved = (op: string) => operatorNamed(op)?.keeps === "elements";
  return tensors.filter(({ producer }) => producer === null || !isMoved(producer.op))
    .toSorted((a, b) => Number(b.isFault) - Number(a.isFault) || rank(a) - rank(b));
}

function noSample(): PlimsollError {
  return new PlimsollError("data", {
    action: "comparing a quantized model with its float model, layer by layer",
    wanted: "at least one sample",
    found: "none",
    remedy: `Give data with samples, or a larger ${option("diagnoseSamples")}`,
  });
}
