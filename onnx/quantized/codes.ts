/**
 * Integer codes in ONNX models: the types that hold them, and the operators that work with them.
 *
 * @module
 */
import {
  type GraphProto,
  type NodeProto,
  type TensorProto,
  TensorProto_DataType,
} from "../file/onnx_pb.ts";
import { STORED_CODES } from "../../core/grid.ts";
import { subgraphs } from "../graph/node.ts";
import { operatorOf } from "../operators/operators.ts";
import { dimensions, elementCount, tensorData } from "../file/tensor.ts";

/** Whether a node makes, reads or computes with codes, whichever operator set a tool has put it into. */
export function isQuantizedOperator({ opType: op }: NodeProto): boolean {
  return ["", "com.microsoft"].some((domain) => operatorOf({ op, domain })?.isQuantized);
}

/** The nodes of a graph and of its sub-graphs that make, read or compute with codes. */
export function quantizedNodes(graph: GraphProto): NodeProto[] {
  return graph.node.flatMap((node) => [
    ...(isQuantizedOperator(node) ? [node] : []),
    ...subgraphs(node).flatMap(quantizedNodes),
  ]);
}

const { UINT4, INT4, UINT8, INT8, UINT16, INT16, INT32 } = TensorProto_DataType;

/** Smallest and largest code of the types that tensors of codes between operators have. */
export const CODE_LIMITS: Readonly<Record<number, readonly [number, number] | undefined>> = {
  [UINT8]: STORED_CODES.uint8,
  [INT8]: STORED_CODES.int8,
  [UINT16]: STORED_CODES.uint16,
  [INT16]: STORED_CODES.int16,
  [UINT4]: STORED_CODES.uint4,
  [INT4]: STORED_CODES.int4,
};

/** Integers of a constant; undefined for types that aren't codes. */
export function readCodes(tensor: TensorProto): ArrayLike<number> | undefined {
  const { dataType, rawData, int32Data } = tensor;
  if (dataType === UINT4 || dataType === INT4) {
    // Two a byte, the first in the lower half.
    const bytes = rawData.length > 0 ? rawData : int32Data;
    return Float64Array.from({ length: elementCount(dimensions(tensor)) }, (_, i) => {
      const nibble = (bytes[i >> 1] >> (i % 2 * 4)) & 15;
      return dataType === INT4 && nibble > 7 ? nibble - 16 : nibble;
    });
  }
  const isCodes = [UINT8, INT8, UINT16, INT16, INT32].includes(dataType);
  return isCodes ? tensorData(tensor) as ArrayLike<number> : undefined;
}
