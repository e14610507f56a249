/**
 * int8 scale table of ncnn, which `ncnn2int8` reads.
 *
 * Source: ncnn, `tools/quantize/ncnn2table.cpp` (`save_table`) and `ncnn2int8.cpp`
 * (`read_int8scale_table`). Rows of names and numbers with spaces between: `LAYER_param_0 s …`, one
 * scale an output channel, and `LAYER s` for what the layer reads, both 127 / largest magnitude: the
 * code is clamp(round(x · s), −127, 127). Rows exist for Convolution, ConvolutionDepthWise and
 * InnerProduct; a layer has the name of its ONNX node. A depthwise layer has one scale a group, which
 * is one a channel unless groups have several outputs.
 *
 * @module
 */
import {
  channelSteps,
  type Decisions,
  type ExportedActivation,
  type ExportedWeight,
  type Exporter,
  int8Note,
  isSymmetric,
  levelRange,
  Notes,
} from "./exporter.ts";

/** The exporter. */
export const ncnn: Exporter = {
  description: "int8 scale table of ncnn (for ncnn2int8)",
  file: "model.table",
  write,
};

/** Operators that become layers with a row. */
const LAYERS = new Set(["Conv", "Gemm", "MatMul"]);
/** What becomes of a grid that int8 has but ncnn's clamp narrows. */
const NARROWED = "the lowest code, −128, becomes −127";
/** `ncnn2int8` reads names up to here. */
const MAX_NAME = 255;

function write({ activations, weights }: Decisions) {
  const notes = new Notes();
  const inputs = new Map(activations.map((activation) => [activation.tensor, activation]));
  const [params, blobs]: string[][] = [[], []];
  const read = new Set<string>();
  notes.addStepless(weights);
  for (const weight of weights) {
    const { node } = weight;
    const input = inputs.get(weight.activation);
    const steps = channelSteps(weight);
    const obstacle = input === undefined ? "its input is not quantized" : findObstacle(weight);
    if (obstacle !== undefined) notes.add(node, `left out: ${obstacle}`);
    if (obstacle !== undefined || input === undefined || steps === undefined) continue;
    noteWeight(weight, notes);
    const scales = steps.map(({ scale }) => shortFloat32(1 / scale));
    params.push(`${node}_param_0 ${scales.join(" ")}`);
    if (!read.has(input.tensor)) notes.add(input.tensor, int8Note(input, "ncnn") ?? NARROWED);
    read.add(input.tensor);
    blobs.push(`${node} ${shortFloat32(inputScale(input))}`);
  }
  const rest = activations.filter(({ tensor }) => !read.has(tensor)).length;
  if (rest > 0) {
    notes.say(
      `${rest} activations have no row: the table has one for what each layer reads, and ncnn ` +
        "computes everything else in float",
    );
  }
  if (params.length > 0) {
    notes.say(
      "ncnn's int8 Winograd for 3×3 convolutions of stride 1 wants weights of 6 bits: search with " +
        "--weight-bits 6, or set opt.use_winograd_convolution = false",
    );
  }
  return { text: [...params, ...blobs].map((row) => `${row}\n`).join(""), notes: notes.list() };
}

/** Why a layer can't have a row. */
function findObstacle(weight: ExportedWeight): string | undefined {
  const { op, node, granularity, bits } = weight;
  if (!LAYERS.has(op)) return `ncnn2int8 doesn't quantize ${op}`;
  if (/\s/.test(node)) return "the node's name has a space";
  if (node === "" || new TextEncoder().encode(`${node}_param_0`).length > MAX_NAME) {
    return `the node's name is empty or longer than ${MAX_NAME} bytes`;
  }
  // The other layers' rows are looked up by the suffix.
  if (node.includes("_param_")) return 'the node\'s name has "_param_" in it';
  if (granularity !== "channel") {
    return `one step a ${granularity}; ncnn needs one an output channel (--weight-granularity channel)`;
  }
  if (channelSteps(weight)?.some(({ low }) => low !== -(2 ** (bits - 1)))) {
    return "affine weights; ncnn has symmetric ones only (--weight-constraint symmetric)";
  }
  return undefined;
}

function noteWeight({ tensor, bits, constraint, clip }: ExportedWeight, notes: Notes): void {
  if (bits < 8 && clip) {
    notes.add(tensor, `${bits} bits: ncnn uses 8 and doesn't clip at the threshold`);
  } else if (bits === 8 && constraint !== "symmetric") {
    notes.add(tensor, NARROWED);
  }
}

/** 127 / magnitude; a signed grid keeps its step, and its lowest code saturates. */
function inputScale(activation: ExportedActivation): number {
  const levels = levelRange(activation);
  const magnitude = isSymmetric(levels) ? levels.high : Math.max(levels.high, -levels.low);
  return 127 / (magnitude * activation.scale);
}

/** Fewest digits that give the float32 back. */
function shortFloat32(value: number): string {
  const float = Math.fround(value);
  for (let digits = 1; digits < 9; digits++) {
    const text = float.toPrecision(digits);
    if (Math.fround(Number(text)) === float) return String(Number(text));
  }
  return String(Number(float.toPrecision(9)));
}
