/**
 * Weights of MatMul and Gemm as codes of a matrix of [inputs, outputs].
 *
 * @module
 */
import { intAttribute } from "../../../onnx/graph/node.ts";
import { quantizeWeights } from "../../../onnx/quantized/quantize_weights.ts";
import type { GraphEditor } from "../editor/graph_editor.ts";
import type { LayerWeight } from "./layer_weight.ts";

/** Codes of a matrix, row-major, a row for each input. */
export interface CodeMatrix {
  readonly name: string;
  /** Inputs. */
  readonly rows: number;
  /** Outputs. */
  readonly columns: number;
  readonly codes: Int16Array;
  readonly scales: Float32Array;
  readonly zeroPoints: readonly number[];
  /** Whether the layer has its weights transposed; codes aren't any more. */
  readonly isTransposed: boolean;
}

/** Reads and quantizes the weights; a Gemm may have them transposed. */
export function readMatrix(graph: GraphEditor, edit: LayerWeight): CodeMatrix {
  const { name, dims, data } = graph.constant(edit.node, edit.input);
  if (dims.length !== 2) throw graph.missing(`a matrix ${JSON.stringify(name)}`);
  const codes = edit.rounded ?? quantizeWeights(data, dims, edit);
  const isTransposed = intAttribute(graph.node(edit.node), "transB", 0) !== 0;
  const [rows, columns] = isTransposed ? dims.toReversed() : dims;
  const { scales, zeroPoints } = edit;
  return {
    name,
    rows,
    columns,
    codes: isTransposed ? transpose(codes, columns, rows) : codes,
    scales,
    zeroPoints,
    isTransposed,
  };
}

/** A matrix of `rows` × `columns` with its axes swapped. */
export function transpose<T extends Int16Array | Float32Array>(
  values: T,
  rows: number,
  columns: number,
): T {
  const swapped = values.slice() as T;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      swapped[column * rows + row] = values[row * columns + column];
    }
  }
  return swapped;
}
