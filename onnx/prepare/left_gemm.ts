/**
 * Gemm with its weights on the left: no integer kernel takes it, and nothing looks for weights there. MatMul has them on
 * either side.
 *
 * @module
 */
import type { NodeProto, TensorProto } from "../file/onnx_pb.ts";
import { editGraph } from "../graph/edit_graph.ts";
import { indexGraph } from "../graph/graph_index.ts";
import { type Model, withFields } from "../file/model.ts";
import { nameMaker } from "../graph/names.ts";
import { floatAttribute, intAttribute, makeNode } from "../graph/node.ts";
import { dimensions, floatData, makeTensor } from "../file/tensor.ts";

/**
 * Rewrites each Gemm whose first operand alone is constant: alpha·A·x + beta·C = (alpha·A)·x + (beta·C), a MatMul and an
 * Add, transposes written out. One whose C is computed and scaled stays.
 */
export function productsOfLeftGemms(model: Model): Model {
  const index = indexGraph(model.graph);
  const fresh = nameMaker(model.graph);
  const replace = new Map<NodeProto, NodeProto>();
  const add: NodeProto[] = [];
  const initializers: TensorProto[] = [];
  const make = (name: string, dims: readonly number[], data: Float32Array) => {
    const made = fresh(`${name}/plain`);
    initializers.push(makeTensor(made, [...dims], data));
    return made;
  };
  for (const node of index.nodes) {
    if (node.opType !== "Gemm" || node.domain !== "") continue;
    const [left, right, bias = ""] = node.input;
    const weight = index.initializers.get(left);
    const weights = weight && floatData(weight);
    if (weights === undefined || index.initializers.has(right)) continue;
    const alpha = floatAttribute(node, "alpha", 1);
    const beta = bias === "" ? 0 : floatAttribute(node, "beta", 1);
    const biases = index.initializers.get(bias);
    const biasValues = biases && floatData(biases);
    if (beta !== 0 && beta !== 1 && biasValues === undefined) continue;

    const isTurned = intAttribute(node, "transA", 0) !== 0;
    const dims = dimensions(weight!);
    const [rows, columns] = isTurned ? [dims[1], dims[0]] : dims;
    const values = Float32Array.from(weights, (_, i) => {
      const [row, column] = [Math.floor(i / columns), i % columns];
      return alpha * weights[isTurned ? column * rows + row : i];
    });
    let input = right;
    if (intAttribute(node, "transB", 0) !== 0) {
      input = fresh(`${right}/turned`);
      add.push(makeNode("Transpose", input, [right], [input], { perm: [1, 0] }));
    }
    const [output] = node.output;
    const product = beta === 0 ? output : fresh(`${output}/product`);
    replace.set(
      node,
      withFields(node, {
        opType: "MatMul",
        input: [make(left, [rows, columns], values), input],
        output: [product],
        attribute: [],
      }),
    );
    if (beta === 0) continue;
    const addend = beta === 1
      ? bias
      : make(bias, dimensions(biases!), Float32Array.from(biasValues!, (value) => beta * value));
    add.push(makeNode("Add", output, [product, addend], [output]));
  }
  return replace.size === 0 ? model : editGraph(model, { replace, add, initializers });
}
