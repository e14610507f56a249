/**
 * Encodings of AIMET, which QNN and SNPE converters take as `--quantization_overrides`.
 *
 * Source: AIMET's "Encoding Format Specification". A real value is scale · (q + offset) with q from 0
 * to 2^bitwidth − 1, so that the offset is at most 0; a signed symmetric encoding has
 * −2^(bitwidth − 1). Version 0.6.1 lists one dictionary a channel under the tensor's name, with
 * `is_symmetric` as a string; 1.0.0 lists dictionaries with arrays.
 *
 * Biases have no entry: the converter makes them (`--bias_bitwidth 32`).
 *
 * @module
 */
import { canonicalJson } from "../../core/canonical_json.ts";
import {
  channelSteps,
  type Decisions,
  type ExportedWeight,
  type Exporter,
  isSymmetric,
  levelRange,
  Notes,
} from "./exporter.ts";

/** Encodings of version 0.6.1. */
export const aimet061: Exporter = {
  description: "AIMET / QNN encodings 0.6.1",
  file: "model_0.6.1.encodings",
  write: (decisions) => write(decisions, "0.6.1"),
};

/** Encodings of version 1.0.0. */
export const aimet100: Exporter = {
  description: "AIMET / QNN encodings 1.0.0",
  file: "model_1.0.0.encodings",
  write: (decisions) => write(decisions, "1.0.0"),
};

/** The encoding of one tensor, whatever the version. */
interface Encoding {
  readonly name: string;
  readonly bits: number;
  readonly symmetric: boolean;
  readonly perChannel: boolean;
  readonly steps: readonly { readonly scale: number; readonly offset: number }[];
}

function write(decisions: Decisions, version: "0.6.1" | "1.0.0") {
  const notes = new Notes();
  const activations = decisions.activations.map((activation): Encoding => {
    const levels = levelRange(activation);
    return {
      name: activation.tensor,
      bits: activation.bits,
      symmetric: isSymmetric(levels),
      perChannel: false,
      steps: [{ scale: activation.scale, offset: levels.low }],
    };
  });
  notes.addStepless(decisions.weights);
  const params = new Map<string, Encoding>();
  for (const weight of decisions.weights) {
    const encoding = encodeWeight(weight);
    if (encoding === undefined) continue;
    const other = params.get(encoding.name);
    if (other === undefined) params.set(encoding.name, encoding);
    else if (canonicalJson(other) !== canonicalJson(encoding)) {
      notes.add(
        encoding.name,
        "read by several nodes with different steps; the first ones are kept",
      );
    }
  }
  const encodings = [...params.values()];
  const format = version === "0.6.1" ? format061 : format100;
  return {
    text: canonicalJson({
      version,
      activation_encodings: format(activations),
      param_encodings: format(encodings),
      quantizer_args: quantizerArgs(activations, encodings),
    }),
    notes: notes.list(),
  };
}

function encodeWeight(weight: ExportedWeight): Encoding | undefined {
  const { tensor, bits, granularity } = weight;
  const steps = channelSteps(weight);
  return steps && {
    name: tensor,
    bits,
    symmetric: steps.every(({ low }) => low === -(2 ** (bits - 1))),
    perChannel: granularity === "channel",
    steps: steps.map(({ scale, low }) => ({ scale, offset: low })),
  };
}

function format061(encodings: readonly Encoding[]): unknown {
  return Object.fromEntries(encodings.map(({ name, bits, symmetric, steps }) => [
    name,
    steps.map(({ scale, offset }) => ({
      bitwidth: bits,
      dtype: "int",
      is_symmetric: symmetric ? "True" : "False",
      max: scale * (offset + 2 ** bits - 1),
      min: scale * offset,
      offset,
      scale,
    })),
  ]));
}

function format100(encodings: readonly Encoding[]): unknown {
  return encodings.map(({ name, bits, symmetric, perChannel, steps }) => ({
    name,
    enc_type: perChannel ? "PER_CHANNEL" : "PER_TENSOR",
    dtype: "INT",
    bw: bits,
    is_sym: symmetric,
    scale: steps.map(({ scale }) => scale),
    offset: steps.map(({ offset }) => offset),
  }));
}

/** What AIMET says about the run; of mixed widths the first. */
function quantizerArgs(activations: readonly Encoding[], params: readonly Encoding[]): unknown {
  return {
    activation_bitwidth: activations[0]?.bits ?? 8,
    dtype: "int",
    is_symmetric: params.every(({ symmetric }) => symmetric),
    param_bitwidth: params[0]?.bits ?? 8,
    per_channel_quantization: params.some(({ perChannel }) => perChannel),
    quant_scheme: "post_training_tf_enhanced",
  };
}
