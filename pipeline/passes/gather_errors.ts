/**
 * True errors of given grids, summed over the elements of samples. The sums of a sample have an order of their own, and
 * samples add up without rounding, so that order, batches and parts change no bit.
 *
 * @module
 */
import { ExactSum } from "../../core/exact_sum.ts";
import type { Levels } from "../../core/grid.ts";
import { type Sample, sampleOf, type Tensor } from "../../core/tensor.ts";
import { createDirectErrorsCore, type DirectErrors } from "../../wasm/mod.ts";
import { type PassOptions, streamActivations } from "./stream_activations.ts";

/** Grids to judge, by tensor. */
export type Grids = ReadonlyMap<string, readonly Levels[]>;

/** Errors of one grid per element, true within a relative 1e-12. */
export interface TrueError {
  /** The grid. */
  readonly levels: Levels;
  /** Σ (Q(x) − x)² / n. */
  readonly squared: number;
  /** Σ |Q(x) − x| / n. */
  readonly absolute: number;
  /** n. */
  readonly elements: number;
}

/** Sums over the elements of a tensor, for each of its grids. */
export interface TensorErrors {
  elements: number;
  readonly grids: readonly { readonly squared: ExactSum; readonly absolute: ExactSum }[];
}

/** Sums by tensor. */
export type ErrorSums = ReadonlyMap<string, TensorErrors>;

/**
 * Streams samples through the model and sums the errors of each grid.
 *
 * @param isEnough Asked after every batch; true ends the pass there.
 */
export async function gatherErrors(
  grids: Grids,
  samples: ReadableStream<Sample>,
  options: PassOptions,
  stage: string,
  isEnough: () => boolean = () => false,
): Promise<ErrorSums> {
  const sums = emptyErrors(grids);
  await streamActivations(samples, options, stage, async () => {
    const core = await createDirectErrorsCore();
    const errors = new Map([...grids].map(([tensor, levels]) => [tensor, core.create(levels)]));
    return ({ batch, outputs }) => {
      for (const [tensor, direct] of errors) {
        const parts = partsOf(outputs.get(tensor)!, batch.samples.length);
        for (const part of parts) include(sums.get(tensor)!, direct, part);
      }
      return isEnough();
    };
  });
  return sums;
}

/** Sums of nothing. */
function emptyErrors(grids: Grids): Map<string, TensorErrors> {
  const sums = () => ({ squared: new ExactSum(), absolute: new ExactSum() });
  return new Map(
    [...grids].map(([tensor, levels]) => [tensor, { elements: 0, grids: levels.map(sums) }]),
  );
}

/** Sample by sample; a tensor whose samples can't be told apart as it is. */
function partsOf(tensor: Tensor, size: number): Tensor[] {
  if (size === 1 || tensor.dims.length === 0 || tensor.dims[0] % size !== 0) return [tensor];
  return Array.from({ length: size }, (_, i) => sampleOf(tensor, i, size));
}

function include(sums: TensorErrors, direct: DirectErrors, { data }: Tensor): void {
  direct.clear();
  direct.observe(data);
  sums.elements += direct.count;
  direct.results().forEach(({ squared, absolute }, i) => {
    sums.grids[i].squared.add(squared);
    sums.grids[i].absolute.add(absolute);
  });
}

/** Sums of all parts together, of the same grids. */
export function mergeErrors(parts: readonly ErrorSums[]): ErrorSums {
  return new Map([...parts[0]].map(([tensor, first]) => {
    const all = parts.map((part) => part.get(tensor)!);
    return [tensor, {
      elements: all.reduce((sum, { elements }) => sum + elements, 0),
      grids: first.grids.map((_, i) => ({
        squared: ExactSum.of(all.map(({ grids }) => grids[i].squared)),
        absolute: ExactSum.of(all.map(({ grids }) => grids[i].absolute)),
      })),
    }];
  }));
}

/** Errors per element. */
export function meanErrors(grids: Grids, sums: ErrorSums): Map<string, TrueError[]> {
  return new Map([...sums].map(([tensor, { elements, grids: found }]) => [
    tensor,
    found.map(({ squared, absolute }, i) => ({
      levels: grids.get(tensor)![i],
      squared: squared.value() / elements,
      absolute: absolute.value() / elements,
      elements,
    })),
  ]));
}
