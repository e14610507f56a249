/**
 * Gemm in its plain form, the only one that integer kernels have: alpha and beta 1, a bias for each column.
 *
 * @module
 */
import type { NodeProto, TensorProto } from "../file/onnx_pb.ts";
import { editGraph } from "../graph/edit_graph.ts";
import { indexGraph } from "../graph/graph_index.ts";
import { type Model, withFields } from "../file/model.ts";
import { nameMaker } from "../graph/names.ts";
import { floatAttribute, intAttribute } from "../graph/node.ts";
import { dimensions, floatData, makeTensor } from "../file/tensor.ts";

/**
 * Rewrites each Gemm with constant weights: alpha·x·W + beta·C = x·(alpha·W) + (beta·C), each product rounded
 * once to float32, and C spread from a scalar or a row to one value for each column. One whose C has several rows
 * stays, and so does one that transposes its input.
 */
export function normaliseGemm(model: Model): Model {
  const index = indexGraph(model.graph);
  const fresh = nameMaker(model.graph);
  const replace = new Map<NodeProto, NodeProto>();
  const initializers: TensorProto[] = [];
  for (const node of index.nodes) {
    if (node.opType !== "Gemm" || node.domain !== "" || intAttribute(node, "transA", 0) !== 0) {
      continue;
    }
    const weight = index.initializers.get(node.input[1]);
    const weights = weight && floatData(weight);
    if (weight === undefined || weights === undefined) continue;
    const columns = dimensions(weight)[intAttribute(node, "transB", 0) === 0 ? 1 : 0];
    const biasName = node.input[2] ?? "";
    const bias = index.initializers.get(biasName);
    const values = bias && floatData(bias);
    if (biasName !== "" && values === undefined) continue;
    const shape = bias === undefined ? [columns] : dimensions(bias);
    const isRow = values === undefined || values.length === 1 ||
      (values.length === columns && shape.at(-1) === columns);
    if (!isRow) continue;
    const alpha = floatAttribute(node, "alpha", 1);
    const beta = floatAttribute(node, "beta", 1);
    const isPlain = alpha === 1 && beta === 1 && shape.length === 1 && shape[0] === columns;
    if (isPlain) continue;
    const make = (name: string, dims: number[], data: Float32Array) => {
      const made = fresh(`${name}/plain`);
      initializers.push(makeTensor(made, dims, data));
      return made;
    };
    const input = [
      node.input[0],
      alpha === 1
        ? node.input[1]
        : make(node.input[1], dimensions(weight), weights.map((w) => alpha * w)),
    ];
    if (values !== undefined) {
      const row = Float32Array.from(
        { length: columns },
        (_, i) => beta * values[values.length === 1 ? 0 : i],
      );
      input.push(make(biasName, [columns], row));
    }
    const attribute = node.attribute.filter(({ name }) => name !== "alpha" && name !== "beta");
    replace.set(node, withFields(node, { input, attribute }));
  }
  return replace.size === 0 ? model : editGraph(model, { replace, initializers });
}
