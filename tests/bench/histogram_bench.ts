/**
 * Times the histogram kernels, after checking that their answers are right:
 *
 *     deno run -A tests/bench/histogram_bench.ts [millions of elements]
 *
 * Numbers go through the public interface: copying into WebAssembly and draining are included. The repeats of all
 * contestants take turns, so that a busy machine slows all of them; trust ratios more than nanoseconds.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import assert from "node:assert/strict";
import {
  createHistogramCore,
  createNaiveHistogramCore,
  type HistogramCore,
} from "../../wasm/mod.ts";
import { createDataSets } from "./data_sets.ts";
import { measure, type NamedSession, REPEATS, row } from "./measure.ts";
import { createMinMaxBaseline, type MinMaxBaseline } from "./min_max_baseline.ts";

async function main(args: readonly string[]): Promise<void> {
  const length = Math.round(Number(args[0] ?? 1) * 2 ** 20 / 16) * 16;
  const cores = [
    await createHistogramCore({ simd: true }),
    await createHistogramCore({ simd: false }),
  ];
  const baseline = await createMinMaxBaseline();
  const sets = createDataSets(length);

  for (const { name, values } of sets) checkAnswers(name, values, cores, baseline);
  console.log(`answers: as the naive oracle's, on ${sets.length} data sets\n`);

  const contestants: NamedSession[] = [
    { name: "min/max", run: (values) => baseline.withoutCopy(values) },
    { name: "min/max+copy", run: (values) => void baseline.withCopy(values) },
    ...cores.map((core) => {
      const accumulator = core.create();
      return { name: core.name, run: (values: Float32Array) => accumulator.observe(values) };
    }),
  ];
  // The engine compiles in stages; what is measured is the last one.
  for (let warmUp = 0; warmUp < 10; warmUp++) {
    for (const { values } of sets) for (const { run } of contestants) run(values);
  }

  const machine = `${navigator.hardwareConcurrency} processors, Deno ${Deno.version.deno}`;
  console.log(`ns per element, median of ${REPEATS}; ${length} elements; ${machine}`);
  console.log("ratio: simd / (min/max + copy)\n");
  const names = contestants.map(({ name }) => name);
  console.log(row("", [...names, "ratio"]));
  for (const { name, values } of sets) {
    const medians = measure(contestants, values);
    const ratio = medians[names.indexOf("simd")] / medians[names.indexOf("min/max+copy")];
    console.log(row(name, [...medians.map((ns) => ns.toFixed(2)), ratio.toFixed(1)]));
  }
}

/** Throws when an answer is wrong, so that no time is printed for it. */
function checkAnswers(
  name: string,
  values: Float32Array,
  cores: readonly HistogramCore[],
  baseline: MinMaxBaseline,
): void {
  const oracle = createNaiveHistogramCore().create();
  oracle.observe(values);
  const wanted = oracle.data();
  for (const core of cores) {
    const accumulator = core.create();
    accumulator.observe(values);
    assert.deepEqual(accumulator.data(), wanted, `${core.name} is wrong on ${name}`);
  }
  const [min, max] = baseline.withCopy(values);
  assert.deepEqual([min, max], [wanted.min, wanted.max], `min/max is wrong on ${name}`);
}

await main(Deno.args);
