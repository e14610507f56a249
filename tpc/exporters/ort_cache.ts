/**
 * Calibration cache of ONNX Runtime: what `quantize_static(calibration_cache_path=…)` reads instead
 * of calibrating.
 *
 * Source: onnxruntime 1.30, `quantization/calibrate.py`: `save_tensors_data`, `load_tensors_data`,
 * `TensorsData.from_dict`, `CalibrationCacheEncoder`. Per tensor it holds the ends of the range; the
 * quantizer derives scale = (highest − lowest) / (codes − 1) and the zero point from them
 * (`quant_utils.py`, `compute_scale_zp`). The method is given as MinMax, the default of
 * `quantize_static`, which refuses a cache of another method than it was asked for.
 *
 * @module
 */
import { canonicalJson } from "../../core/canonical_json.ts";
import type { ActivationStorage } from "../../core/types.ts";
import { roundHalfEven } from "../../core/grid.ts";
import {
  type Decisions,
  type ExportedActivation,
  type Exporter,
  type LevelRange,
  levelRange,
  Notes,
  storageBits,
} from "./exporter.ts";

/** The exporter. */
export const ortCache: Exporter = {
  description: "calibration cache of ONNX Runtime (quantize_static's calibration_cache_path)",
  file: "calibration_cache.json",
  write,
};

/** `QuantType` members. */
const QUANT_TYPES: Record<ActivationStorage, string> = {
  uint8: "QUInt8",
  int8: "QInt8",
  uint16: "QUInt16",
  int16: "QInt16",
};

function write({ activations, weights, inner }: Decisions) {
  const notes = new Notes();
  // A map, since tensors may be called toString or __proto__.
  const data = new Map<string, unknown>();
  for (const activation of activations) {
    const { tensor, scale, bits } = activation;
    const levels = levelRange(activation);
    const [lowest, highest] = [levels.low, levels.high].map((k) => Math.fround(k * scale));
    data.set(tensor, {
      CLS: "TensorData",
      highest: float32(highest),
      lowest: float32(lowest),
    });
    const stored = storageBits(activation.storage);
    if (bits !== stored) {
      notes.add(tensor, `${bits} bits become ${stored}: the cache holds ranges, not bits`);
    } else if (!comesBack(activation, levels, lowest, highest)) {
      notes.add(
        tensor,
        "the runtime computes scale and zero point from the range and comes out a rounding beside " +
          "ours; ort-overrides keeps them exactly",
      );
    }
  }
  // ORT asks for the ranges of tensors that it then replaces by the end of the chain (KeyError in
  // `try_replacing_upstream_output` without them, 1.30).
  for (const { tensor, like } of inner ?? []) {
    if (!data.has(tensor) && data.has(like)) data.set(tensor, data.get(like));
  }
  if (inner === undefined && activations.some(({ fused }) => fused.length > 0)) {
    notes.say(
      "ranges inside fused chains, as between Conv and Relu, are missing, and quantize_static fails " +
        "without them; name the model, and they are written",
    );
  }
  const types = new Set(activations.map(({ storage }) => storage));
  notes.say(
    types.size === 1
      ? `give quantize_static activation_type=QuantType.${QUANT_TYPES[[...types][0]]}`
      : `types of activations differ (${[...types].join(", ")}), which a cache can't say`,
  );
  if (weights.length > 0) {
    notes.say(
      `the cache has no place for the steps of ${weights.length} weight tensors; the runtime takes ` +
        "their largest magnitude. ort-overrides holds them",
    );
  }
  return {
    text: canonicalJson({
      CLS: "TensorsData",
      calibration_method: { CLS: "CalibrationMethod", value: "CalibrationMethod.MinMax" },
      data: Object.fromEntries(data),
      smooth_quant: false,
    }),
    notes: notes.list(),
  };
}

/** A numpy scalar, as `CalibrationCacheEncoder` writes it. */
function float32(value: number): unknown {
  return { CLS: "numpy.array", data: value, dtype: "float32" };
}

/** Whether `compute_scale_zp` gives the grid back; it subtracts in float32 and divides in float64. */
function comesBack(
  { scale }: ExportedActivation,
  { low, high }: LevelRange,
  lowest: number,
  highest: number,
): boolean {
  if (low > 0 || high < 0) return false;
  const step = Math.fround(highest - lowest) / (high - low);
  return Math.fround(step) === scale && roundHalfEven(-lowest / step) === -low + 0;
}
