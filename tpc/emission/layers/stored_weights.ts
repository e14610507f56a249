/**
 * Constants that are stored in fewer bytes while all that reads them computes in float.
 *
 * Cast and Mul turn codes back into numbers, and Cast alone does so for float16. ONNX Runtime folds them when it loads
 * the model, at every level but `disabled`, so that kernels get constant float weights and prepare them as ever: on 1.30
 * and 1.32 such a MatMul takes as long as a float one. A DequantizeLinear there isn't folded: it becomes a MatMulNBits,
 * 1.5 times as slow as float on wasm, or runs every time and keeps Conv from its blocked layout; between quantizers it
 * even becomes an integer kernel.
 *
 * @module
 */
import { makeHalfTensor } from "../../../onnx/file/half.ts";
import { TensorProto_DataType } from "../../../onnx/file/onnx_pb.ts";
import { elementCount } from "../../../onnx/file/tensor.ts";
import { quantizeRows } from "../../../onnx/quantized/quantize_rows.ts";
import { quantizeWeights } from "../../../onnx/quantized/quantize_weights.ts";
import type { GraphEditor } from "../editor/graph_editor.ts";
import type { LayerWeight } from "./layer_weight.ts";
import { SharedWeights } from "./shared_weights.ts";

/** A constant whose readers get it by its own name. */
export interface StoredConstant {
  readonly tensor: string;
  readonly type: "int8" | "float16";
}

/** Stores constants; layers that share weights and their grid share the codes. */
export class StoredWeights {
  readonly #graph: GraphEditor;
  readonly #made = new SharedWeights<string>();

  constructor(graph: GraphEditor) {
    this.#graph = graph;
  }

  /** Weights of one layer, on the grid that was searched for them. */
  storeWeight(edit: LayerWeight): void {
    const graph = this.#graph;
    const { name, dims, data } = graph.constant(edit.node, edit.input);
    const restored = this.#made.get(name, edit, () => {
      const { axis, scales, zeroPoints, storage } = edit;
      const codes = edit.rounded ?? quantizeWeights(data, dims, edit);
      const shape = axis === undefined ? [] : dims.map((size, i) => i === axis ? size : 1);
      const output = graph.fresh(`${name}/restored`);
      const stored = graph.codes(`${name}/quantized`, dims, codes, storage);
      const offset = zeroPoints.every((zero) => zero === 0)
        ? undefined
        : graph.tensor(`${name}/zero_point`, shape, Float32Array.from(zeroPoints));
      this.#restore(stored, graph.tensor(`${name}/scale`, shape, scales), output, offset);
      return output;
    });
    graph.inputsOf(graph.node(edit.node))[edit.input] = restored;
  }

  /** A constant whatever reads it, in sub-graphs as well: one step for each index but that of the last axis. */
  store({ tensor, type }: StoredConstant): void {
    const graph = this.#graph;
    const { dims, data } = graph.floats(tensor);
    graph.replaceConstant(tensor);
    if (type === "float16") {
      const half = graph.initializer(
        `${tensor}/float16`,
        (name) => makeHalfTensor(name, dims, data),
      );
      graph.add("Cast", [half], tensor, { attributes: { to: TensorProto_DataType.FLOAT } });
      return;
    }
    const rows = dims.slice(0, -1);
    const { codes, scales } = quantizeRows(data, [elementCount(rows), dims.at(-1)!]);
    const stored = graph.codes(`${tensor}/quantized`, dims, codes, "int8");
    this.#restore(stored, graph.tensor(`${tensor}/scale`, [...rows, 1], scales), tensor);
  }

  #restore(codes: string, scale: string, output: string, offset?: string): void {
    const graph = this.#graph;
    const numbers = graph.fresh(`${output}/numbers`);
    graph.add("Cast", [codes], numbers, { attributes: { to: TensorProto_DataType.FLOAT } });
    let centred = numbers;
    if (offset !== undefined) {
      centred = graph.fresh(`${output}/centred`);
      graph.add("Sub", [numbers, offset], centred);
    }
    graph.add("Mul", [centred, scale], output);
  }
}
