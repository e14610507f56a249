/**
 * TensorQuantOverrides of ONNX Runtime: exact scales and zero points, by tensor name.
 *
 * Source: onnxruntime 1.30, `quantization/tensor_quant_overrides.py`: a list of dictionaries a
 * tensor, one for a tensor with one scale, one a channel else, with `axis` and `quant_type` in the
 * first. In Python the values are no JSON: `quant_type` is a `QuantType`, `scale` and `zero_point`
 * are arrays. After `json.load` turn each dictionary `d` into that with
 *
 *     d["quant_type"] = QuantType.from_string(d["quant_type"])
 *     d["scale"] = numpy.array(d["scale"], dtype=numpy.float32)
 *     d["zero_point"] = numpy.array(d["zero_point"])
 *
 * and give the whole as `extra_options={"TensorQuantOverrides": …}` beside the calibration cache.
 *
 * @module
 */
import { canonicalJson } from "../../core/canonical_json.ts";
import type { ActivationStorage, WeightStorage } from "../../core/types.ts";
import { channelSteps, type Decisions, type Exporter, Notes, storageBits } from "./exporter.ts";

/** The exporter. */
export const ortOverrides: Exporter = {
  description: "TensorQuantOverrides of ONNX Runtime: exact scales and zero points, weights too",
  file: "tensor_quant_overrides.json",
  write,
};

/** `QuantType` members. */
const QUANT_TYPES: Record<ActivationStorage | WeightStorage, string> = {
  uint8: "QUInt8",
  int8: "QInt8",
  uint16: "QUInt16",
  int16: "QInt16",
  int4: "QInt4",
  uint4: "QUInt4",
};

function write({ activations, weights }: Decisions) {
  const notes = new Notes();
  // A map, since tensors may be called toString or __proto__.
  const overrides = new Map<string, unknown[]>();
  const checkBits = (tensor: string, bits: number, stored: number) => {
    if (bits !== stored) {
      notes.add(
        tensor,
        `${bits} bits of ${stored}: the runtime uses all codes of the type and doesn't clip at the threshold`,
      );
    }
  };
  for (const activation of activations) {
    const { tensor, scale, zeroPoint, bits, storage } = activation;
    checkBits(tensor, bits, storageBits(storage));
    overrides.set(tensor, [{ quant_type: QUANT_TYPES[storage], scale, zero_point: zeroPoint }]);
  }
  notes.addStepless(weights);
  for (const weight of weights) {
    const { tensor, axis, granularity, bits, storage } = weight;
    const steps = channelSteps(weight);
    if (steps === undefined) continue;
    checkBits(tensor, bits, storageBits(storage));
    const common = {
      quant_type: QUANT_TYPES[storage],
      ...(granularity === "channel" ? { axis } : {}),
    };
    const list = steps.map(({ scale, zeroPoint }) => ({ ...common, scale, zero_point: zeroPoint }));
    const other = overrides.get(tensor);
    if (other !== undefined && canonicalJson(other) !== canonicalJson(list)) {
      notes.add(tensor, "read by several nodes with different steps; the first ones are kept");
      continue;
    }
    overrides.set(tensor, list);
  }
  if (weights.some(({ granularity }) => granularity === "channel")) {
    notes.say("give quantize_static per_channel=True");
  }
  return { text: canonicalJson(Object.fromEntries(overrides)), notes: notes.list() };
}
