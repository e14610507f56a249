/**
 * How far the outputs of a model with some grids are from those of the float model.
 *
 * @module
 */
import type { Levels } from "../../core/grid.ts";
import type { VariableGrids } from "../../tpc/emission/variable_grids.ts";
import type { InputTensor, Tensor } from "../../core/tensor.ts";
import type { InferenceSession } from "../inference/runtime.ts";
import { gridFeeds } from "./grid_feeds.ts";

/** What a run is fed with, by input. */
export type Feeds = ReadonlyMap<string, InputTensor>;

/** Outputs of the float model for one run. */
type Outputs = ReadonlyMap<string, Tensor>;

/**
 * Measures grids by the outputs: Σ over the float outputs of Σ(y′ − y)² / Σy², both sums over all elements and runs;
 * y are the outputs of the float model. It counts every run.
 */
export class OutputLoss {
  readonly #session: InferenceSession;
  readonly #inputs: VariableGrids["inputs"];
  readonly #runs: readonly Feeds[];
  readonly #reference: readonly Outputs[];
  /** Σy² by output; outputs of zeros are left out. */
  readonly #power: ReadonlyMap<string, number>;
  #count = 0;

  /** @param reference Float outputs of the float model, run by run. */
  constructor(
    session: InferenceSession,
    inputs: VariableGrids["inputs"],
    runs: readonly Feeds[],
    reference: readonly Outputs[],
  ) {
    this.#session = session;
    this.#inputs = inputs;
    this.#runs = runs;
    this.#reference = reference;
    const power = new Map<string, number>();
    for (const outputs of reference) {
      for (const [name, { data }] of outputs) {
        power.set(name, (power.get(name) ?? 0) + differences(data));
      }
    }
    this.#power = new Map([...power].filter(([, sum]) => sum > 0));
  }

  /** Whether any float output is other than zero: without one every grid is as good as another. */
  get hasPower(): boolean {
    return this.#power.size > 0;
  }

  /** Runs that one measurement takes at most. */
  get length(): number {
    return this.#runs.length;
  }

  /** Runs so far. */
  get count(): number {
    return this.#count;
  }

  /**
   * The loss with these grids, run by run.
   *
   * @param grids By tensor, one for each that the model has.
   * @param limit Stop where the sum reaches it, since it only grows: losses of later runs are missing then.
   */
  async of(grids: ReadonlyMap<string, Levels>, limit = Infinity): Promise<number[]> {
    const scalars = gridFeeds(this.#inputs, grids);
    const outputs = [...this.#power.keys()];
    const losses: number[] = [];
    let sum = 0;
    for (const [i, feeds] of this.#runs.entries()) {
      if (sum >= limit) break;
      this.#count++;
      const found = await this.#session.run(new Map([...feeds, ...scalars]), outputs);
      let loss = 0;
      for (const [name, power] of this.#power) {
        loss += differences(this.#reference[i].get(name)!.data, found.get(name)!.data) / power;
      }
      losses.push(loss);
      sum += loss;
    }
    return losses;
  }
}

/**
 * Σ(b − a)², of a alone Σa². Where the float model gives NaN or infinity (masks do) there is nothing to compare;
 * where only the other gives it, the sum is infinite.
 */
function differences(a: Float32Array, b?: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) {
    if (a[i] - a[i] !== 0) continue;
    const difference = b === undefined ? a[i] : b[i] - a[i];
    sum += difference * difference;
  }
  return Number.isNaN(sum) ? Infinity : sum;
}
