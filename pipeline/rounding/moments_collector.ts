/**
 * Second moments of the vectors that a layer's weights meet, gathered while samples stream.
 *
 * @module
 */
import { log2 } from "../../core/portable_math.ts";
import type { Tensor } from "../../core/tensor.ts";
import { columnsOf, crossProduct, type GramProduct } from "./gram.ts";
import type { Patches } from "./patches.ts";
import type { Moments } from "./second_order.ts";

/** Vectors of one sample; more make a pass longer and moments of few samples hardly better (measured). */
const POSITIONS = 64;
/** Widest block of weights that are rounded together: 10 MiB of moments, half a second of factorising. */
const WIDEST = 1152;
/** Bits of the integers below the largest sum of a sample: with 2^20 samples they stay below 2^53. */
const BITS = 32;

/** Weights of an output channel that are rounded together: elements `from` to `to` of its vector. */
export interface Block {
  readonly from: number;
  readonly to: number;
}

/** Blocks of at most {@linkcode WIDEST} weights. What lies in different blocks is taken to be uncorrelated. */
export function blocksOf(size: number): Block[] {
  const count = Math.ceil(size / WIDEST);
  return Array.from({ length: count }, (_, i) => ({
    from: Math.round(i * size / count),
    to: Math.round((i + 1) * size / count),
  }));
}

/** Bytes that the moments of a layer take. */
export function momentBytes({ shape: { groups, size } }: Patches): number {
  return groups * blocksOf(size).reduce((sum, { from, to }) => sum + 8 * (to - from) ** 2, 0);
}

/**
 * Sums of x·xᵀ and of x for every group and block of a layer. Sums of a sample are rounded to whole multiples of a
 * power of two and added up as integers, so that the total doesn't depend on the order of samples.
 */
export class MomentsCollector {
  readonly #patches: Patches;
  readonly #blocks: readonly Block[];
  readonly #products: Float64Array[][];
  readonly #sums: Float64Array[][];
  readonly #unit: number;
  #count = 0;

  /** @param magnitude Largest magnitude of an element. */
  constructor(patches: Patches, magnitude: number) {
    const { groups, size } = patches.shape;
    this.#patches = patches;
    this.#blocks = blocksOf(size);
    const make = (length: (block: Block) => number) =>
      Array.from(
        { length: groups },
        () => this.#blocks.map((block) => new Float64Array(length(block))),
      );
    this.#products = make(({ from, to }) => (to - from) ** 2);
    this.#sums = make(({ from, to }) => to - from);
    this.#unit = 2 ** (Math.ceil(log2(POSITIONS * Math.max(magnitude * magnitude, 1e-30))) - BITS);
  }

  /** Adds one sample. */
  async add(sample: Tensor, product: GramProduct): Promise<void> {
    const { size } = this.#patches.shape;
    const groups = this.#patches.read(sample, POSITIONS);
    const rows = groups[0].length / size;
    for (const [g, vectors] of groups.entries()) {
      for (const [b, { from, to }] of this.#blocks.entries()) {
        const x = columnsOf(vectors, size, { from, to });
        const width = to - from;
        const found = await crossProduct(product, width, { x, columns: width, y: x });
        const unit = this.#unit;
        const total = this.#products[g][b];
        for (let i = 0; i < found.length; i++) total[i] += Math.round(found[i] / unit);
        addRows(x, width, this.#sums[g][b], unit);
      }
    }
    this.#count += rows;
  }

  /** Moments of each group and block: about the mean, when the bias takes the mean, else about zero. */
  moments(isCentred: boolean): Moments[][] {
    const n = this.#count;
    return this.#products.map((blocks, g) =>
      blocks.map((total, b) => {
        const means = this.#sums[g][b].map((sum) => isCentred ? sum * this.#unit / n : 0);
        const size = means.length;
        return {
          size,
          matrix: total.map((sum, i) =>
            sum * this.#unit / n - means[Math.floor(i / size)] * means[i % size]
          ),
        };
      })
    );
  }
}

function addRows(x: Float32Array, width: number, sums: Float64Array, unit: number): void {
  const own = new Float64Array(width);
  for (let row = 0; row < x.length; row += width) {
    for (let i = 0; i < width; i++) own[i] += x[row + i];
  }
  for (let i = 0; i < width; i++) sums[i] += Math.round(own[i] / unit);
}
