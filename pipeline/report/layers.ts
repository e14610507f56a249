/**
 * Layers of models as text: float ones with what a target makes of them, quantized ones with their quantizers. Pure.
 *
 * @module
 */
import type { ActivationSpec, WeightSpec } from "../../core/types.ts";
import type {
  ActivationQuantizer,
  ConstantQuantizer,
} from "../../onnx/quantized/read_quantizers.ts";
import type { Layer, ModelLayers } from "../inspect/layers.ts";
import type { QuantizedLayer, QuantizedLayers } from "../inspect/quantized_layers.ts";
import { formatFields, formatTable } from "./table.ts";

/** Options of tables. */
export interface LayerReportOptions {
  /** Columns of the terminal; without it nothing is shortened. */
  readonly width?: number;
}

/** A float model: a line for each layer, then totals. */
export function layerReport(
  { layers }: Pick<ModelLayers, "layers">,
  { width }: LayerReportOptions = {},
): string {
  const rows = layers.map((layer) => [
    nameOf(layer),
    layer.node,
    shapeText(layer.shape),
    layer.parameters === 0 ? "" : layer.parameters.toLocaleString("en"),
    fateText(layer),
  ]);
  const head = ["op", "node", "output", "parameters", "on the target"];
  const table = formatTable([head, ...rows], { left: [0, 1, 2, 4], width });
  const count = (fate: Layer["fate"]) => layers.filter((layer) => layer.fate === fate).length;
  const parameters = layers.reduce((sum, layer) => sum + layer.parameters, 0);
  const parts = (["quantized", "fused", "keeps grid", "float", "no float32"] as const)
    .filter((fate) => count(fate) > 0).map((fate) => `${count(fate)} ${fate}`);
  return `${table}${layers.length} layers: ${parts.join(", ") || "none"}; ${
    parameters.toLocaleString("en")
  } parameters\n`;
}

/** One layer of a float model, with all that is known of it. */
export function layerFields(layer: Layer): string {
  const { op, node, inputs, outputs, shape, constants, quantizer, reason } = layer;
  return formatFields(`${op} ${node}`, [
    ["reads", inputs.join(", ") || "–"],
    ["makes", `${outputs.join(", ")} ${shapeText(shape)}`],
    ...(layer.clamp === null ? [] : [["bounds", boundsText(layer.clamp)] as const]),
    ...constants.map(({ tensor, shape, quantizer }) =>
      [
        "constant",
        `${tensor} [${shape.join(", ")}]${
          quantizer === null ? "" : `, ${weightSpecText(quantizer)}`
        }`,
      ] as const
    ),
    ["on the target", fateText(layer)],
    ...(quantizer === null ? [] : [["quantizer", specText(quantizer)] as const]),
    ...(reason === "" || layer.fate === "float" ? [] : [["because", reason] as const]),
  ]);
}

/** A quantized model: a line for each layer, then totals. */
export function quantizedReport(
  { inputs, layers, bytes }: QuantizedLayers,
  { width, fileBytes }: LayerReportOptions & { readonly fileBytes?: number } = {},
): string {
  const quantizerCells = (quantizer: ActivationQuantizer | null) =>
    quantizer === null ? ["–", "", "", "", ""] : [
      typeText(quantizer),
      quantizer.signed ? "±" : "+",
      number(quantizer.scales[0]) + (quantizer.scales.length > 1 ? " …" : ""),
      String(quantizer.zeroPoints[0]),
      quantizer.range.map(number).join(" … "),
    ];
  const rows = [
    ...inputs.map((input) => ["input", input.tensor, "", "", ...quantizerCells(input)]),
    ...layers.map((layer) => [
      layer.op,
      layer.node,
      layer.precision,
      layer.constants.filter(isWeight).map((weight) => typeText(weight)).join(" "),
      ...quantizerCells(layer.quantizer),
    ]),
  ];
  const head = ["op", "node", "is", "weights", "output", "sign", "scale", "zero", "values"];
  const table = formatTable([head, ...rows], { left: [0, 1, 2, 3, 4], width });
  const count = (precision: QuantizedLayer["precision"]) =>
    layers.filter((layer) => layer.precision === precision).length;
  const parts = (["quantized", "float output", "float input", "codes", "float"] as const)
    .filter((precision) => count(precision) > 0)
    .map((precision) => `${count(precision)} ${precision}`);
  const activations = inputs.length + layers.filter(({ quantizer }) => quantizer !== null).length;
  const weights = layers.flatMap(({ constants }) => constants.filter(isWeight)).length;
  const size = fileBytes === undefined ? "" : `${kilobytes(fileBytes)} in the file, `;
  return `${table}${layers.length} layers: ${parts.join(", ") || "none"}\n` +
    `${activations} quantizers of activations, ${weights} of weights; ${size}` +
    `codes ${kilobytes(bytes.codes)}, float constants ${kilobytes(bytes.float)}\n`;
}

/** One layer of a quantized model, with its quantizers. */
export function quantizedFields(
  { op, node, inputs, outputs, precision, constants, quantizer }: QuantizedLayer,
): string {
  return formatFields(`${op} ${node}`, [
    ["reads", inputs.join(", ") || "–"],
    ["makes", outputs.join(", ")],
    ["is", precision],
    ...constants.map((constant) =>
      [isWeight(constant) ? "weights" : "bias", constantText(constant)] as const
    ),
    ["quantizer", quantizer === null ? "none: the output stays float" : quantizerText(quantizer)],
  ]);
}

/** The quantizer of an input of a quantized model. */
export function inputFields(input: ActivationQuantizer): string {
  return formatFields(`input ${input.tensor}`, [["quantizer", quantizerText(input)]]);
}

/** Dimensions for people: N for one that varies. */
export function shapeText(shape: readonly (number | null)[] | null): string {
  return shape === null ? "?" : `[${shape.map((size) => size ?? "N").join(", ")}]`;
}

/** Clips are told apart by their bounds: Clip 0 … 6 is ReLU6. */
function nameOf({ op, clamp }: Layer): string {
  return op === "Clip" && clamp !== null ? `Clip ${boundsText(clamp)}` : op;
}

function boundsText({ low, high }: { low: number | null; high: number | null }): string {
  return `${low ?? "−∞"} … ${high ?? "∞"}`;
}

function fateText({ fate, of, reason, quantizer, constants }: Layer): string {
  switch (fate) {
    case "fused":
      return `fused into ${of}`;
    case "keeps grid":
      return `keeps the quantization of ${of}`;
    case "float":
      return `float: ${reason}`;
    case "no float32":
      return "not float32";
    case "quantized": {
      const weights = constants.find(({ quantizer }) => quantizer !== null)?.quantizer;
      const bits = [
        ...(quantizer === null ? [] : [`${quantizer.bits} bits`]),
        ...(weights == null ? [] : [`weights ${weights.bits} bits`]),
      ];
      return ["quantized", ...bits].join(", ");
    }
    default:
      return fate satisfies never;
  }
}

function specText({ bits, constraint, signed, error }: ActivationSpec): string {
  return `${bits} bits, ${constraint}, signed ${signed}, error ${error}`;
}

function weightSpecText({ bits, constraint, granularity, error }: WeightSpec): string {
  return `${bits} bits, ${constraint}, per ${granularity}, error ${error}`;
}

/** Biases are constants of 32 bits. */
function isWeight({ type }: ConstantQuantizer): boolean {
  return type !== "int32";
}

function typeText({ type, bits }: Pick<ConstantQuantizer, "type" | "bits">): string {
  return type.endsWith(`int${bits}`) ? type : `${type} (${bits} bits)`;
}

function quantizerText(quantizer: ActivationQuantizer): string {
  const { bits, signed, scales, zeroPoints, codes, range } = quantizer;
  return `${quantizer.type}, ${bits} bits, ${signed ? "signed" : "unsigned"}, ${
    scalesText(quantizer)
  }, zero point ${zeroPoints[0]}${scales.length > 1 ? " …" : ""}, codes ${codes[0]} … ${
    codes[1]
  }, values ${number(range[0])} … ${number(range[1])}`;
}

function constantText(constant: ConstantQuantizer): string {
  const { tensor, shape, bits, zeroPoints, blockSize } = constant;
  const zeros = zeroPoints.every((zero) => zero === zeroPoints[0])
    ? `zero point ${zeroPoints[0]}`
    : `zero points ${listText(zeroPoints)}`;
  return `${tensor} [${shape.join(", ")}], ${constant.type}, ${bits} bits, ${scalesText(constant)}${
    blockSize === null ? "" : `, one for ${blockSize} weights`
  }, ${zeros}`;
}

function scalesText({ scales, axis }: Pick<ConstantQuantizer, "scales" | "axis">): string {
  return scales.length === 1
    ? `scale ${scales[0]}`
    : `${scales.length} scales along axis ${axis}: ${listText(scales)}`;
}

/** Numbers that are listed before an ellipsis. */
const LISTED = 8;

function listText(values: readonly number[]): string {
  const shown = values.slice(0, LISTED).map(number).join(" ");
  return values.length > LISTED ? `${shown} …` : shown;
}

function number(value: number): string {
  return String(Number(value.toPrecision(5)));
}

function kilobytes(bytes: number): string {
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(2)} MB`;
}
