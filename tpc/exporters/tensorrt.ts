/**
 * Calibration cache of TensorRT (`IInt8Calibrator.readCalibrationCache`, `trtexec --calib`).
 *
 * Text: a line with version and calibrator, then `tensor: 3c010a14`, the float32 scale as the
 * hexadecimal digits of its bits, most significant first. Symmetric int8, zero point 0:
 * q = clamp(round(x / scale), −128, 127). Source: NVIDIA's TensorRT documentation ("Calibration
 * cache", "Quantization": scale = amax / 127) and Polygraphy and TAO, which write and read it so.
 * TensorRT checks the calibrator in the first line and warns of another version.
 *
 * @module
 */
import {
  type Decisions,
  type ExportedActivation,
  type Exporter,
  int8Note,
  levelRange,
  Notes,
} from "./exporter.ts";

/** The exporter. */
export const tensorRt: Exporter = {
  description: "calibration cache of TensorRT (int8, symmetric, activations only)",
  file: "calibration.cache",
  write,
};

/** Version 8.5.1; implicit quantization ended with TensorRT 10. */
const HEADER = "TRT-8501-EntropyCalibration2";

function write({ activations, weights }: Decisions) {
  const notes = new Notes();
  const lines = [HEADER];
  for (const activation of activations) {
    const { tensor } = activation;
    if (/[\r\n]/.test(tensor)) {
      notes.add(tensor, "left out: the name has a line break");
      continue;
    }
    lines.push(`${tensor}: ${float32Hex(int8Scale(activation, notes))}`);
  }
  if (weights.length > 0) {
    notes.say(
      `the cache has no place for the steps of ${weights.length} weight tensors; TensorRT takes the ` +
        "largest magnitude of each output channel",
    );
  }
  return { text: lines.join("\n") + "\n", notes: notes.list() };
}

/** Smallest scale of a signed 8-bit grid that holds the grid. */
function int8Scale(activation: ExportedActivation, notes: Notes): number {
  const { tensor, scale } = activation;
  const note = int8Note(activation, "TensorRT");
  if (note !== undefined) notes.add(tensor, note);
  const levels = levelRange(activation);
  return Math.fround(scale * Math.max(levels.high / 127, -levels.low / 128));
}

/** Bits of a float32, most significant first. */
function float32Hex(value: number): string {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, value);
  return view.getUint32(0).toString(16).padStart(8, "0");
}
