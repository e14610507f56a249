/** Random activation-like data of many distributions, for tests that want thousands of cases. */
import { gaussian, uniform } from "./random.ts";

/** Makes one element. */
type Draw = () => number;

/** Names of the distributions. */
export const DISTRIBUTIONS = [
  "gaussian",
  "laplace",
  "relu",
  "relu6",
  "bimodal",
  "lattice",
  "heavy",
  "outlier",
  "shifted",
] as const;
/** One of {@linkcode DISTRIBUTIONS}. */
export type Distribution = (typeof DISTRIBUTIONS)[number];

/** `length` elements of a distribution; scale and shape vary with the seed. */
export function draw(name: Distribution, length: number, seed: number): Float32Array {
  const random = uniform(seed);
  const normal = gaussian(seed + 1);
  const scale = 2 ** (random() * 12 - 6);
  const laplace = () => (random() < 0.5 ? 1 : -1) * -Math.log(1 - random());
  const draws: Record<Distribution, Draw> = {
    gaussian: normal,
    laplace,
    relu: () => Math.max(0, normal()),
    relu6: () => Math.min(6, Math.max(0, 3 * normal())) / scale,
    bimodal: () => (random() < 0.3 ? 4 : -1) + 0.3 * normal(),
    lattice: () => Math.round(random() * 40 - 10) / 16,
    heavy: () => normal() / (0.02 + random()) ** 1.5,
    outlier: normal,
    shifted: () => 10 + normal(),
  };
  const values = Float32Array.from({ length }, () => scale * draws[name]());
  if (name === "outlier") values[Math.floor(random() * length)] = scale * 1000;
  return values;
}
