/**
 * The layers of a quantized (QDQ) model with their quantizers.
 *
 * @module
 */
import { groupBy } from "../../core/group_by.ts";
import type { NodeProto } from "../../onnx/file/onnx_pb.ts";
import { isQuantizedOperator, readCodes } from "../../onnx/quantized/codes.ts";
import { type GraphIndex, indexGraph } from "../../onnx/graph/graph_index.ts";
import type { Model } from "../../onnx/file/model.ts";
import { isOperator, nodeName } from "../../onnx/graph/node.ts";
import {
  type ActivationQuantizer,
  type ConstantQuantizer,
  type Quantizers,
  readQuantizers,
} from "../../onnx/quantized/read_quantizers.ts";

/** How a layer is held by its quantizers. */
export type Precision =
  /** All its activations come from codes and go to codes. */
  | "quantized"
  /** They come from codes and stay float. */
  | "float output"
  /** They come as floats and go to codes. */
  | "float input"
  /** Neither. */
  | "float"
  /** An operator that takes codes itself, as QLinearConv. */
  | "codes";

/** A node of the model other than its quantizers; plain JSON. */
export interface QuantizedLayer {
  /** Its operator. */
  readonly op: string;
  /** Its name. */
  readonly node: string;
  /** The activations that it reads, by the names of their quantizers where they have one. */
  readonly inputs: readonly string[];
  /** The tensors that it makes, likewise. */
  readonly outputs: readonly string[];
  /** How its ends are quantized. */
  readonly precision: Precision;
  /** Quantizers of its constants. */
  readonly constants: readonly ConstantQuantizer[];
  /** Quantizer of its first output; null where that stays float. */
  readonly quantizer: ActivationQuantizer | null;
}

/** A quantized model; plain JSON. */
export interface QuantizedLayers {
  /** Quantizers of the model's inputs. */
  readonly inputs: readonly ActivationQuantizer[];
  /** In topological order. */
  readonly layers: readonly QuantizedLayer[];
  /** Bytes of the constants. */
  readonly bytes: { readonly codes: number; readonly float: number; readonly other: number };
}

/** Lists the layers of a QDQ model. */
export function listQuantizedLayers(model: Model): QuantizedLayers {
  const index = indexGraph(model.graph);
  const quantizers = readQuantizers(model);
  const names = new Ends(quantizers);
  return {
    inputs: quantizers.activations.filter(({ producer }) => producer === null),
    layers: index.nodes.filter((node) => !isPlumbing(node, index)).map((node) =>
      describe(node, index, names)
    ),
    bytes: constantBytes(model, index),
  };
}

/** Who is at the ends of quantizers, by the names that the model has there. */
class Ends {
  readonly before: ReadonlyMap<string, ActivationQuantizer>;
  readonly after: ReadonlyMap<string, ActivationQuantizer>;
  readonly constants: ReadonlyMap<string, ConstantQuantizer[]>;

  constructor({ activations, constants }: Quantizers) {
    this.before = new Map(activations.map((entry) => [entry.float, entry]));
    this.after = new Map(
      activations.flatMap((entry) => entry.dequantized.map((name) => [name, entry] as const)),
    );
    this.constants = groupBy(constants, ({ node }) => node);
  }
}

/** Quantizers, and what emission puts next to them. */
function isPlumbing(node: NodeProto, index: GraphIndex): boolean {
  if (["QuantizeLinear", "DequantizeLinear"].includes(node.opType)) return true;
  const clipsCodes = index.producers.get(node.input[0])?.opType === "QuantizeLinear";
  return isOperator(node, "Clip") && (clipsCodes || node.output[0].endsWith("/clipped"));
}

function describe(node: NodeProto, index: GraphIndex, ends: Ends): QuantizedLayer {
  const constants = ends.constants.get(nodeName(node)) ?? [];
  const quantizedInputs = new Set(constants.map(({ input }) => node.input[input]));
  const data = node.input.filter((name) =>
    name !== "" && !index.initializers.has(name) && !quantizedInputs.has(name)
  );
  const outOf = (name: string) => {
    const clipped = (index.consumers.get(name) ?? []).find((reader) => isPlumbing(reader, index));
    return ends.before.get(name) ?? (clipped && ends.before.get(clipped.output[0]));
  };
  const isFromCodes = data.length > 0 && data.every((name) => ends.after.has(name));
  const quantizer = outOf(node.output[0]) ?? null;
  const precision = isQuantizedOperator(node)
    ? "codes"
    : isFromCodes
    ? (quantizer === null ? "float output" : "quantized")
    : (quantizer === null ? "float" : "float input");
  return {
    op: node.opType,
    node: nodeName(node),
    inputs: data.map((name) => ends.after.get(name)?.tensor ?? name),
    outputs: node.output.filter((name) => name !== "").map((name) => outOf(name)?.tensor ?? name),
    precision,
    constants,
    quantizer,
  };
}

function constantBytes({ graph }: Model, index: GraphIndex): QuantizedLayers["bytes"] {
  const bytes = { codes: 0, float: 0, other: 0 };
  for (const tensor of graph.initializer) {
    const readers = index.consumers.get(tensor.name) ?? [];
    const isCodes = readers.some(({ opType, input }) =>
      opType === "DequantizeLinear" && input[0] === tensor.name
    ) && readCodes(tensor) !== undefined;
    const isFloat = tensor.dataType === 1;
    const size = tensor.rawData.length || 4 * (tensor.floatData.length + tensor.int32Data.length) +
        8 * tensor.int64Data.length;
    bytes[isCodes ? "codes" : isFloat ? "float" : "other"] += size;
  }
  return bytes;
}
