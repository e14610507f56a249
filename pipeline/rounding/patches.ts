/**
 * The vectors that the weights of a layer meet: for a Conv the patch under the kernel at a position of the output,
 * for Gemm and MatMul a row.
 *
 * @module
 */
import { convPadding } from "../../onnx/layers/conv_padding.ts";
import type { LinearLayer } from "../../onnx/layers/linear_layer.ts";
import { intAttribute, intsAttribute } from "../../onnx/graph/node.ts";
import { elementCount } from "../../onnx/file/tensor.ts";
import type { Tensor } from "../../core/tensor.ts";

/** How the weights of a layer lie: output channel o of its group meets vector element k. */
export interface LayerShape {
  /** Groups of channels; each has moments of its own. */
  readonly groups: number;
  /** Output channels of a group. */
  readonly rows: number;
  /** Weights of an output channel. */
  readonly size: number;
  /** Place of a weight in memory; `row` counts over all groups. */
  place(row: number, k: number): number;
}

/** Reads vectors; undefined where the layer is of another kind (ConvTranspose, padding that varies). */
export interface Patches {
  readonly shape: LayerShape;
  /**
   * Some vectors of one sample, spread over its positions in a way that is the same for all samples.
   *
   * @param sample The tensor of one sample, batch axis included.
   * @param count Most positions.
   * @returns For each group rows of `shape.size` elements.
   */
  read(sample: Tensor, count: number): Float32Array[];
  /**
   * What the layer gives at the same positions.
   *
   * @param output Its output for one sample, batch axis included.
   * @returns For each group rows of `shape.rows` elements.
   */
  readOutput(output: Tensor, count: number): Float32Array[];
}

/** The vectors of a layer. */
export function layerPatches(layer: LinearLayer): Patches | undefined {
  switch (layer.node.opType) {
    case "Conv":
      return convPatches(layer);
    case "Gemm":
    case "MatMul":
      return layer.weight.dims.length === 2 ? rowPatches(layer) : undefined;
    default:
      return undefined;
  }
}

/** Part of the golden ratio: its multiples, modulo 1, are spread evenly however many there are. */
const GOLDEN = 0.6180339887498949;

/** `count` of `total` positions, all when there are no more. */
function spread(total: number, count: number): number[] {
  if (total <= count) return Array.from({ length: total }, (_, i) => i);
  return Array.from({ length: count }, (_, i) => Math.floor(total * ((i + 0.5) * GOLDEN % 1)));
}

function rowPatches(
  { channels: { input: size, output: rows }, weight, outputChannel }: LinearLayer,
): Patches {
  // Whether the weights of an output channel are neighbours, as with transB.
  const isTransposed = outputChannel(1) === 0 && weight.dims[1] === size && size > 1;
  const place = isTransposed
    ? (row: number, k: number) => row * size + k
    : (row: number, k: number) => k * rows + row;
  return {
    shape: { groups: 1, rows, size, place },
    read: ({ data }, count) => {
      const positions = spread(data.length / size, count);
      const vectors = new Float32Array(positions.length * size);
      positions.forEach((row, i) =>
        vectors.set(data.subarray(row * size, (row + 1) * size), i * size)
      );
      return [vectors];
    },
    readOutput: ({ data }, count) => {
      const positions = spread(data.length / rows, count);
      const found = new Float32Array(positions.length * rows);
      positions.forEach((row, i) =>
        found.set(data.subarray(row * rows, (row + 1) * rows), i * rows)
      );
      return [found];
    },
  };
}

function convPatches(layer: LinearLayer): Patches | undefined {
  const { node, weight: { dims: [outputs, inputs, ...kernel] } } = layer;
  const pads = convPadding(layer);
  if (pads === undefined) return;
  const ones = kernel.map(() => 1);
  const strides = intsAttribute(node, "strides") ?? ones;
  const dilations = intsAttribute(node, "dilations") ?? ones;
  const groups = intAttribute(node, "group", 1);
  const taps = elementCount(kernel);
  const size = inputs * taps;
  // Coordinates of each tap, row-major.
  const offsets = Array.from(
    { length: taps },
    (_, tap) => coordinates(tap, kernel).map((at, axis) => at * dilations[axis] - pads[axis]),
  );
  return {
    shape: { groups, rows: outputs / groups, size, place: (row, k) => row * size + k },
    read: ({ data, dims }, count) => {
      const plane = dims.slice(2);
      const output = plane.map((length, axis) =>
        Math.floor(
          (length + pads[axis] + pads[axis + kernel.length] - dilations[axis] * (kernel[axis] - 1) -
            1) /
            strides[axis],
        ) + 1
      );
      const positions = spread(elementCount(output), count);
      const planeSize = elementCount(plane);
      const vectors = Array.from(
        { length: groups },
        () => new Float32Array(positions.length * size),
      );
      positions.forEach((position, i) => {
        const origin = coordinates(position, output).map((at, axis) => at * strides[axis]);
        offsets.forEach((offset, tap) => {
          let at = 0;
          for (let axis = 0; axis < plane.length; axis++) {
            const x = origin[axis] + offset[axis];
            // Padding is zero, as the vectors are from the start.
            if (x < 0 || x >= plane[axis]) return;
            at = at * plane[axis] + x;
          }
          for (let group = 0; group < groups; group++) {
            const target = vectors[group];
            for (let c = 0; c < inputs; c++) {
              target[i * size + c * taps + tap] = data[(group * inputs + c) * planeSize + at];
            }
          }
        });
      });
      return vectors;
    },
    readOutput: ({ data, dims }, count) => {
      const plane = elementCount(dims.slice(2));
      const positions = spread(plane, count);
      const rows = outputs / groups;
      return Array.from({ length: groups }, (_, group) => {
        const found = new Float32Array(positions.length * rows);
        positions.forEach((position, i) => {
          for (let row = 0; row < rows; row++) {
            found[i * rows + row] = data[(group * rows + row) * plane + position];
          }
        });
        return found;
      });
    },
  };
}

/** Row-major position → coordinates. */
function coordinates(position: number, sizes: readonly number[]): number[] {
  const result = new Array<number>(sizes.length);
  for (let axis = sizes.length - 1; axis >= 0; axis--) {
    result[axis] = position % sizes[axis];
    position = Math.floor(position / sizes[axis]);
  }
  return result;
}
