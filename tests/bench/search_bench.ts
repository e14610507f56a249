/**
 * Times the search, after checking that its answers are right:
 *
 *     deno run -A tests/bench/search_bench.ts [tensors]
 *
 * A time is that of `searchThreshold()` on finished statistics, everything that it prepares included; observing is
 * not. The methods of one tensor follow each other, as in AUTO, so what they can share is paid once a tensor.
 * Fails on a wrong answer, never on slowness.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import assert from "node:assert/strict";
import { searchThreshold } from "../../pipeline/search/search_threshold.ts";
import { divideDyadic } from "../../pipeline/statistics/dyadic.ts";
import type { Levels } from "../../core/grid.ts";
import { type Constraint, ERROR_METHODS, type ErrorMethod } from "../../core/types.ts";
import type { HistogramData } from "../../wasm/mod.ts";
import { naiveErrors } from "../support/exact.ts";
import { observe } from "../support/observe.ts";
import { row } from "./measure.ts";
import { CHECKED_ELEMENTS, createTensors, type SearchTensor } from "./search_tensors.ts";

const ROUNDS = 9;
const WARM_UP = 3;

function search(data: HistogramData, constraint: Constraint, error: ErrorMethod) {
  return searchThreshold(data, { bits: 8, constraint, signed: "auto", error });
}

/** What is timed: some searches of every tensor. */
interface Task {
  readonly name: string;
  readonly constraint: Constraint;
  readonly methods: readonly ErrorMethod[];
  /** Milliseconds: for all tensors together, or for each. */
  readonly goal?: number;
  readonly isTotal?: boolean;
}

const TASKS: readonly Task[] = [
  { name: "pot, all methods", constraint: "pot", methods: ERROR_METHODS, goal: 100, isTotal: true },
  ...ERROR_METHODS.map((method): Task => ({
    ...{ name: `pot, ${method}`, constraint: "pot", methods: [method], isTotal: true },
  })),
  { name: "symmetric, mse", constraint: "symmetric", methods: ["mse"], goal: 5 },
  { name: "symmetric, mae", constraint: "symmetric", methods: ["mae"] },
  { name: "symmetric, kl", constraint: "symmetric", methods: ["kl"] },
  { name: "uniform, mse", constraint: "uniform", methods: ["mse"], goal: 20 },
  { name: "uniform, mae", constraint: "uniform", methods: ["mae"] },
];

function main(args: readonly string[]): void {
  const tensors = createTensors(Number(args[0] ?? 65));
  for (const tensor of tensors) checkAnswers(tensor);
  console.log(`answers: as over the elements themselves, on ${tensors.length} tensors\n`);

  const bins = tensors.map(({ data }) => data.bins.length).sort((a, b) => a - b);
  const machine = `${navigator.hardwareConcurrency} processors, Deno ${Deno.version.deno}`;
  console.log(
    `ms, median of ${ROUNDS}; 8 bits; ${tensors.length} tensors of ${bins[0]} to ${
      bins.at(-1)
    } bins; ${machine}\n`,
  );
  console.log(row("", ["all tensors", "one, median", "one, slowest", "goal"]));
  for (const task of TASKS) console.log(timeTask(task, tensors));
}

/** Median over the rounds of each tensor's time, so that one interruption counts for nothing. */
function timeTask({ name, constraint, methods, goal, isTotal }: Task, tensors: SearchTensor[]) {
  const rounds: number[][] = [];
  for (let round = -WARM_UP; round < ROUNDS; round++) {
    const times = tensors.map(({ data }) => {
      // A copy, as fresh from a file: nothing is known of it.
      const fresh = { ...data };
      const start = performance.now();
      for (const method of methods) search(fresh, constraint, method);
      return performance.now() - start;
    });
    if (round >= 0) rounds.push(times);
  }
  const totals = rounds.map((times) => times.reduce((a, b) => a + b, 0));
  const each = tensors.map((_, i) => median(rounds.map((times) => times[i])));
  return row(name, [
    ...[median(totals), median(each), Math.max(...each)].map((ms) => ms.toFixed(2)),
    goal === undefined ? "" : `${isTotal ? "all" : "one"} < ${goal}`,
  ]);
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}

/** Throws when an answer is wrong, so that no time is printed for it. */
function checkAnswers({ name, values }: SearchTensor): void {
  const some = values.subarray(0, CHECKED_ELEMENTS);
  const data = observe(some);
  for (const [error, sum] of [["mse", "squared"], ["mae", "absolute"]] as const) {
    const { curve, signed, threshold } = search(data, "pot", error);
    let best = { threshold: NaN, error: Infinity };
    for (const point of curve) {
      const exact = naiveErrors(some, Math.log2(point.threshold), 8, signed)[sum];
      const label = `${name}: ${error} of threshold ${point.threshold}`;
      assert.equal(point.error, divideDyadic(exact, BigInt(some.length)), label);
      if (point.error < best.error) best = point;
    }
    assert.equal(threshold, best.threshold, `${name}: ${error} has a better threshold`);
    for (const constraint of ["symmetric", "uniform"] as const) {
      const { levels, bounds } = search(data, constraint, error);
      const truth = meanError(some, levels, error === "mse" ? 2 : 1);
      const { lower, upper } = bounds!;
      const isWithin = lower <= truth * (1 + 1e-12) && truth <= upper * (1 + 1e-12);
      assert.ok(isWithin, `${name}, ${constraint}: ${truth} is not in ${lower} … ${upper}`);
    }
  }
}

function meanError(values: Float32Array, { step, low, high }: Levels, p: number): number {
  let sum = 0;
  for (const x of values) {
    const code = Math.min(Math.max(Math.round(x / step), low), high);
    sum += Math.abs(code * step - x) ** p;
  }
  return sum / values.length;
}

main(Deno.args);
