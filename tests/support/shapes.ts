/** Data of many shapes, as activations have them and as they shouldn't. */
import { floats, gaussian, uniform } from "./random.ts";

/** Named data sets of about 500 elements each, all finite. */
export const SHAPES: Readonly<Record<string, Float32Array>> = {
  gauss: floats(500, gaussian(1)),
  relu: floats(500, gaussian(2)).map((x) => Math.max(x, 0)),
  relu6: floats(500, gaussian(3)).map((x) => Math.min(Math.max(5 * x, 0), 6)),
  laplace: floats(500, uniform(4)).map((u) => Math.log(u + 1e-9) * (u < 0.5 ? 1 : -1)),
  heavy: floats(500, uniform(5)).map((u) => (2 * u - 1) / (1.001 - Math.abs(2 * u - 1))),
  negative: floats(500, gaussian(6)).map((x) => -Math.abs(x) - 3),
  lattice: floats(500, uniform(7)).map((u) => Math.round(u * 32) / 16 - 1),
  subnormal: floats(500, gaussian(8)).map((x) => x * 2 ** -140),
  huge: floats(500, gaussian(9)).map((x) => x * 2 ** 100),
  outlier: Float32Array.of(...floats(499, gaussian(10)), 1e6),
  zeros: Float32Array.from({ length: 50 }, (_, i) => i % 2 ? 0 : -0),
  constant: new Float32Array(50).fill(1.1),
  powers: Float32Array.from({ length: 60 }, (_, i) => (i % 2 ? 1 : -1) * 2 ** (i % 20 - 10)),
  single: Float32Array.of(-0.75),
};
