/**
 * Linear layers whose input is quantized when the model runs.
 *
 * With DynamicQuantizeLinear's codes X, step a and zero point z (ONNX: a = (max − min)/255 over the tensor, zero
 * included) and codes W of the weights with a step w for each column,
 *
 *     x·w ≈ a · w · Σ (X − z)·W
 *
 * is written as DynamicQuantizeLinear, MatMulInteger, Cast and Mul by a · w, then Add of the bias. ONNX Runtime 1.30 and
 * 1.32 make one DynamicQuantizeMatMul of all that (`MatMulIntegerToFloatFusion`, `DynamicQuantizeMatMulFusion`), or
 * DynamicQuantizeLinear and a MatMulIntegerToFloat for each layer where several read a tensor, on wasm and native
 * (measured). Other runtimes and levels run the operators as they are, which are ONNX's.
 *
 * @module
 */
import { TensorProto_DataType } from "../../../onnx/file/onnx_pb.ts";
import { intAttribute, makeNode } from "../../../onnx/graph/node.ts";
import type { GraphEditor } from "../editor/graph_editor.ts";
import type { LayerWeight } from "./layer_weight.ts";
import { readMatrix } from "./matrix.ts";
import { SharedWeights } from "./shared_weights.ts";

/** What DynamicQuantizeLinear makes of a tensor. */
interface Quantized {
  readonly codes: string;
  readonly step: string;
  readonly zeroPoint: string;
}

/** Names of the initializers of a matrix of weights. */
interface StoredMatrix {
  readonly codes: string;
  readonly scale: string;
  readonly zeroPoint: string;
}

/** Makes such layers of MatMul and Gemm; those that read one tensor share its quantizer. */
export class DynamicLayers {
  readonly #graph: GraphEditor;
  readonly #quantized = new Map<string, Quantized>();
  readonly #weights = new SharedWeights<StoredMatrix>();

  constructor(graph: GraphEditor) {
    this.#graph = graph;
  }

  /** Replaces one layer. Codes and bias are those that it has by now. */
  make(edit: LayerWeight): void {
    const graph = this.#graph;
    const node = graph.node(edit.node);
    const { name: tensor } = graph.constant(edit.node, edit.input);
    const isTransposed = intAttribute(node, "transB", 0) !== 0;
    const { codes: weights, scale: weightStep, zeroPoint: zero } = this.#weights.get(
      `${isTransposed} ${tensor}`,
      edit,
      () => this.#store(edit),
    );
    const [input, , bias = ""] = graph.inputsOf(node);
    const [output] = graph.outputsOf(node);
    const { codes: x, step, zeroPoint } = this.#quantize(input);
    const [sums, numbers, both] = ["sums", "numbers", "scale"].map((what) =>
      graph.fresh(`${output}/${what}`)
    );
    graph.remove(node);
    // It has the layer's name, by which profiles tell what became of it.
    graph.add("MatMulInteger", [x, weights, zeroPoint, zero], sums, { name: edit.node });
    graph.add("Cast", [sums], numbers, { attributes: { to: TensorProto_DataType.FLOAT } });
    graph.add("Mul", [step, weightStep], both);
    if (bias === "") graph.add("Mul", [numbers, both], output);
    else {
      const product = graph.fresh(`${output}/product`);
      graph.add("Mul", [numbers, both], product);
      graph.add("Add", [product, bias], output);
    }
  }

  #store(edit: LayerWeight): StoredMatrix {
    const graph = this.#graph;
    const { name, rows, columns, codes, scales, zeroPoints } = readMatrix(graph, edit);
    const shape = scales.length === 1 ? [] : [columns];
    return {
      codes: graph.codes(`${name}/quantized`, [rows, columns], codes, edit.storage),
      scale: graph.tensor(`${name}/scale`, shape, scales),
      zeroPoint: graph.codes(`${name}/zero_point`, shape, zeroPoints, edit.storage),
    };
  }

  #quantize(tensor: string): Quantized {
    const found = this.#quantized.get(tensor);
    if (found !== undefined) return found;
    const graph = this.#graph;
    const [codes, step, zeroPoint] = ["codes", "step", "zero"].map((what) =>
      graph.fresh(`${tensor}/dynamic_${what}`)
    );
    graph.addNode(
      makeNode(
        "DynamicQuantizeLinear",
        graph.fresh(`${tensor}/DynamicQuantizeLinear`),
        [tensor],
        [codes, step, zeroPoint],
      ),
    );
    const made = { codes, step, zeroPoint };
    this.#quantized.set(tensor, made);
    return made;
  }
}
