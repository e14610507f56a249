/**
 * Folding of BatchNormalization into the Conv or Gemm before it.
 *
 * @module
 */
import type { NodeProto, TensorProto } from "onnx-buf";
import { editGraph } from "./edit_graph.ts";
import { type GraphIndex, indexGraph } from "./graph_index.ts";
import { type Model, withFields } from "./model.ts";
import { floatAttribute, intAttribute } from "./node.ts";
import { dimensions, elementCount, floatData, makeTensor } from "./tensor.ts";

/** y = factor · x + offset per channel: what BatchNormalization does at inference. */
interface Affine {
  readonly factor: Float64Array;
  readonly offset: Float64Array;
}

/**
 * Folds each BatchNormalization that is the only reader of a Conv or Gemm:
 *
 *     γ·(W·x + b − μ)/√(σ² + ε) + β  =  (s·W)·x + (b − μ)·s + β,   s = γ/√(σ² + ε)
 *
 * Computed in float64 and rounded once to float32. The result keeps the name of the
 * BatchNormalization's output, so that tensors that survive keep their names.
 */
export function foldBatchNorm(model: Model): Model {
  const index = indexGraph(model.graph);
  const remove = new Set<NodeProto>();
  const replace = new Map<NodeProto, NodeProto>();
  const initializers: TensorProto[] = [];
  for (const norm of index.nodes) {
    const affine = inferenceAffine(norm, index);
    const producer = index.producers.get(norm.input[0] ?? "");
    if (affine === undefined || producer === undefined || replace.has(producer)) continue;
    const [between] = producer.output;
    if (index.consumers.get(between)?.length !== 1 || index.outputs.has(between)) continue;
    const folded = foldInto(producer, affine, norm.name || norm.output[0], index);
    if (folded === undefined) continue;
    initializers.push(...folded.initializers);
    replace.set(producer, withFields(folded.node, { output: [norm.output[0]] }));
    remove.add(norm);
  }
  return remove.size === 0 ? model : editGraph(model, { remove, replace, initializers });
}

/** The affine map of a BatchNormalization in inference mode with constant parameters. */
function inferenceAffine(norm: NodeProto, index: GraphIndex): Affine | undefined {
  if (norm.opType !== "BatchNormalization" || intAttribute(norm, "training_mode", 0) !== 0) return;
  // `spatial = 0` (before opset 9) normalises per element, not per channel.
  if (intAttribute(norm, "spatial", 1) !== 1) return;
  if (norm.output.slice(1).some((name) => index.consumers.has(name) || index.outputs.has(name))) {
    return;
  }
  const [gamma, beta, mean, variance] = norm.input.slice(1).map((name) => constant(index, name));
  if (!gamma || !beta || !mean || !variance) return;
  const epsilon = floatAttribute(norm, "epsilon", 1e-5);
  const factor = Float64Array.from(gamma.data, (g, c) => g / Math.sqrt(variance.data[c] + epsilon));
  const offset = Float64Array.from(beta.data, (b, c) => b - mean.data[c] * factor[c]);
  const isSound = factor.every(Number.isFinite) && offset.every(Number.isFinite);
  return isSound ? { factor, offset } : undefined;
}

function foldInto(
  node: NodeProto,
  affine: Affine,
  suffix: string,
  index: GraphIndex,
): { node: NodeProto; initializers: TensorProto[] } | undefined {
  if (node.domain !== "" || (node.opType !== "Conv" && node.opType !== "Gemm")) return;
  const weight = constant(index, node.input[1]);
  const biasName = node.input[2] ?? "";
  const bias = biasName === "" ? undefined : constant(index, biasName);
  if (weight === undefined || (biasName !== "" && bias === undefined)) return;
  const channels = affine.factor.length;
  const isGemm = node.opType === "Gemm";
  const axis = isGemm && intAttribute(node, "transB", 0) === 0 ? 1 : 0;
  if (weight.dims[axis] !== channels) return;
  // Gemm's C may be anything that broadcasts to [M, N]; only per-column and scalar ones fold.
  const biasLength = bias?.data.length ?? 1;
  if (biasLength !== 1 && (biasLength !== channels || bias?.dims.at(-1) !== channels)) return;
  const beta = isGemm ? floatAttribute(node, "beta", 1) : 1;
  const stride = elementCount(weight.dims.slice(axis + 1));
  const scaled = Float32Array.from(
    weight.data,
    (w, i) => w * affine.factor[Math.floor(i / stride) % channels],
  );
  const shifted = Float32Array.from(affine.offset, (offset, c) => {
    const old = bias === undefined ? 0 : bias.data[biasLength === 1 ? 0 : c];
    return beta * old * affine.factor[c] + offset;
  });
  // New names where others read the old constants, so that only this node changes.
  const nameFor = (name: string, role: string) =>
    name !== "" && index.consumers.get(name)?.length === 1 ? name : `${suffix}/folded_${role}`;
  const weightName = nameFor(node.input[1], "weight");
  const newBias = nameFor(biasName, "bias");
  const attribute = node.attribute.filter(({ name }) => !(isGemm && name === "beta"));
  return {
    node: withFields(node, { input: [node.input[0], weightName, newBias], attribute }),
    initializers: [
      makeTensor(weightName, weight.dims, scaled),
      makeTensor(newBias, [channels], shifted),
    ],
  };
}

function constant(
  index: GraphIndex,
  name: string,
): { dims: number[]; data: Float32Array } | undefined {
  const tensor = index.initializers.get(name);
  const data = tensor && floatData(tensor);
  return tensor && data && { dims: dimensions(tensor), data };
}
