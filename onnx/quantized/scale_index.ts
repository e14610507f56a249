/**
 * Which scale of a DequantizeLinear belongs to which element.
 *
 * @module
 */
import { elementCount } from "../file/tensor.ts";

/**
 * From the position of an element to that of its scale, both row-major (ONNX, DequantizeLinear): one scale an index
 * of the axis, or, with `blockSize`, one for every so many elements along the axis, the last block being shorter
 * where they don't divide it.
 *
 * @param dims Shape of the elements.
 * @param axis At least 0.
 */
export function scaleIndex(
  dims: readonly number[],
  axis: number,
  blockSize?: number,
): (i: number) => number {
  const stride = elementCount(dims.slice(axis + 1));
  const size = dims[axis];
  if (blockSize === undefined) return (i) => Math.floor(i / stride) % size;
  const blocks = Math.ceil(size / blockSize);
  return (i) => {
    const row = Math.floor(i / stride);
    const block = Math.floor(row % size / blockSize);
    return (Math.floor(row / size) * blocks + block) * stride + i % stride;
  };
}
