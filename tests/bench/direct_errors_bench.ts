/**
 * Times the errors over elements, after checking that the answers are right:
 *
 *     deno run -A tests/bench/direct_errors_bench.ts [millions of elements]
 *
 * Numbers go through the public interface: copying into WebAssembly is included. The repeats of all contestants take
 * turns, so that a busy machine slows all of them; trust ratios more than nanoseconds.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import assert from "node:assert/strict";
import {
  createDirectErrorsCore,
  createNaiveDirectErrorsCore,
  type DirectErrorsCore,
  type DirectGrid,
} from "../../wasm/mod.ts";
import { createDataSets, type DataSet } from "./data_sets.ts";
import { measure, type NamedSession, REPEATS, row } from "./measure.ts";

const GRID_COUNTS = [1, 4, 16];

/** Elements whose answers are checked: the oracle takes microseconds for each. */
const CHECKED = 40000;

/** Signed grids of 8 bits, thresholds from 4 down to 1: of a Gaussian they clip from nothing to 32 %. */
function createGrids(count: number): DirectGrid[] {
  return Array.from({ length: count }, (_, i) => {
    const threshold = 4 - 3 * i / count;
    return { step: Math.fround(threshold / 128), low: -128, high: 127 };
  });
}

async function main(args: readonly string[]): Promise<void> {
  const length = Math.round(Number(args[0] ?? 1) * 2 ** 20);
  const cores = [
    await createDirectErrorsCore({ simd: true }),
    await createDirectErrorsCore({ simd: false }),
  ];
  const sets = createDataSets(length);
  for (const set of sets) checkAnswers(set, cores);
  console.log(`answers: within 1e-12 of the naive oracle's, on ${sets.length} data sets\n`);

  const contestants = cores.flatMap((core) =>
    GRID_COUNTS.map((count): NamedSession => {
      const errors = core.create(createGrids(count));
      return { name: `${core.name} × ${count}`, run: (values) => errors.observe(values) };
    })
  );
  // The engine compiles in stages; what is measured is the last one.
  for (let warmUp = 0; warmUp < 3; warmUp++) {
    for (const { values } of sets) for (const { run } of contestants) run(values);
  }

  const machine = `${navigator.hardwareConcurrency} processors, Deno ${Deno.version.deno}`;
  console.log(
    `ns per element per grid, median of ${REPEATS}; ${length} elements; 1, 4, 16 grids; ${machine}\n`,
  );
  console.log(row("", contestants.map(({ name }) => name)));
  for (const { name, values } of sets) {
    const medians = measure(contestants, values);
    const perGrid = medians.map((ns, i) => ns / GRID_COUNTS[i % GRID_COUNTS.length]);
    console.log(row(name, perGrid.map((ns) => ns.toFixed(2))));
  }
}

/** Throws when an answer is wrong, so that no time is printed for it. */
function checkAnswers({ name, values }: DataSet, cores: readonly DirectErrorsCore[]): void {
  const grids = createGrids(GRID_COUNTS[GRID_COUNTS.length - 1]);
  const [wanted, ...found] = [createNaiveDirectErrorsCore(), ...cores].map((core) => {
    const errors = core.create(grids);
    errors.observe(values.subarray(0, CHECKED));
    return errors.results();
  });
  found.forEach((results, c) => {
    results.forEach((sums, i) => {
      for (const kind of ["squared", "absolute"] as const) {
        const truth = wanted[i][kind];
        assert.ok(
          Math.abs(sums[kind] - truth) <= 1e-12 * truth,
          `${cores[c].name} is wrong on ${name}: ${kind} of grid ${i} is ${
            sums[kind]
          }, not ${truth}`,
        );
      }
    });
  });
}

await main(Deno.args);
