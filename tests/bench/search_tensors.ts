import type { HistogramData } from "../../wasm/mod.ts";
import { observe } from "../support/observe.ts";
import { gaussian, uniform } from "../support/random.ts";

/** Elements of each tensor that are kept, for checks: the exact oracle takes a microsecond for each. */
export const CHECKED_ELEMENTS = 1500;

/** A tensor that is searched. */
export interface SearchTensor {
  readonly name: string;
  /** The first of its elements. */
  readonly values: Float32Array;
  readonly data: HistogramData;
}

/** Elements of the pools that tensors are cut from. */
const POOL = 1 << 22;

/** Shapes as networks have them, as functions of a standard normal or Laplace value. */
const SHAPES: Readonly<Record<string, (normal: number, laplace: number) => number>> = {
  gaussian: (normal) => normal,
  relu: (normal) => Math.max(0, normal),
  relu6: (normal) => Math.min(6, Math.max(0, 2.5 * normal)),
  laplace: (_, laplace) => laplace,
  biased: (normal) => normal + 0.4,
};

/** Tensors of one to four million elements and scales from 1/16 to 16, the same ones each time. */
export function createTensors(count: number): SearchTensor[] {
  const random = uniform(20261124);
  const normals = Float32Array.from({ length: POOL }, gaussian(1));
  const laplaces = Float32Array.from({ length: POOL }, () => {
    const u = 2 * random() - 1;
    return Math.sign(u) * -Math.log(1 - Math.abs(u));
  });
  const shapes = Object.entries(SHAPES);
  return Array.from({ length: count }, (_, i) => {
    const [name, shape] = shapes[i % shapes.length];
    // ReLU6 clips at 6 whatever comes in.
    const scale = name === "relu6" ? 1 : 2 ** (8 * random() - 4);
    const length = Math.round(POOL * 2 ** (-2 * random()));
    const values = normals.subarray(0, length).map((x, j) => scale * shape(x, laplaces[j]));
    return {
      name: `${name} ${i}`,
      values: values.slice(0, CHECKED_ELEMENTS),
      data: observe(values),
    };
  });
}
