/**
 * The costs of a target's kernels, fitted to what `profile` measured: what `costs` of `onnxruntime-web` was made with.
 *
 *     deno task calibrate --model m.onnx --data d --target onnxruntime-web --out m.plim
 *     deno task profile --model m.onnx --data d --target onnxruntime-web --out m.json
 *     deno run -A bench/kernel_costs.ts m.plim m.json [more pairs]
 *
 * For each rule the sum of squared relative errors of `output`·outputs + `multiplication`·multiplications +
 * `weight`·weights is least, none of the three below 0.
 *
 * @module
 */
import { parseCosts } from "../pipeline/plan/costs_file.ts";
import { ALL_INTEGER } from "../pipeline/plan/estimates.ts";
import { elementsIn, type UnitWork, workOfUnits } from "../pipeline/plan/unit_work.ts";
import { placementFor } from "../pipeline/search/placement.ts";
import { readPlim } from "../pipeline/statistics/plim.ts";
import { addOverrides, presetTarget } from "../tpc/targets/read_target.ts";

interface Measured {
  readonly op: string;
  readonly work: UnitWork;
  readonly float: number;
  readonly integer: number;
}

const target = presetTarget("onnxruntime-web")!;
const whole = addOverrides(target, [ALL_INTEGER]);
const measured: Measured[] = [];
const borders: { quantize: number; dequantize: number }[] = [];
for (let i = 0; i < Deno.args.length; i += 2) {
  const [plim, json] = Deno.args.slice(i, i + 2);
  const statistics = await readPlim(await Deno.readFile(plim), plim);
  const costs = parseCosts(JSON.parse(await Deno.readTextFile(json)), json);
  borders.push(costs);
  const placement = placementFor(statistics, whole);
  const work = workOfUnits(
    statistics.outline,
    placement.units,
    elementsIn(statistics, placement),
  );
  for (const [j, { node, op }] of placement.units.entries()) {
    const unit = costs.units.find((unit) => unit.node === node);
    // What the runtime folded into something else has no time of its own.
    if (unit === undefined || unit.float === 0 || unit.integer === 0) continue;
    measured.push({ op, work: work[j], float: unit.float, integer: unit.integer });
  }
}

for (const { operators, kernel } of target.costs!.operators) {
  const held = measured.filter(({ op, work }) =>
    operators.includes(op) &&
    target.costs!.operators.find((rule) =>
        rule.operators.includes(op) && (rule.kernel === undefined || rule.kernel === work.kernel)
      )!.kernel === kernel
  );
  const name = `${operators.join(", ")}${kernel === undefined ? "" : ` (${kernel})`}`;
  print(`${name}: ${held.length} units`);
  for (const kind of ["float", "integer"] as const) {
    const { coefficients, error } = fit(held.map(({ work, [kind]: time }) => [
      [work.outputs, work.multiplications, work.weights].map((x) => x / time),
      1,
    ]));
    const [output, multiplication, weight] = coefficients.map((x) => x.toPrecision(3));
    print(
      `  ${kind.padEnd(7)} output ${output} multiplication ${multiplication} weight ${weight}` +
        `, relative error ${error.toFixed(2)}`,
    );
  }
}
print(`quantize ${mean(borders.map(({ quantize }) => quantize)).toFixed(2)}`);
print(`dequantize ${mean(borders.map(({ dequantize }) => dequantize)).toFixed(2)}`);

/** Least squares without negative coefficients: the best of all subsets of variables whose solution has none. */
function fit(rows: readonly (readonly [number[], number])[]) {
  let best = { coefficients: [0, 0, 0], error: Infinity };
  for (let subset = 1; subset < 8; subset++) {
    const used = [0, 1, 2].filter((i) => subset & (1 << i));
    const solution = solve(
      used.map((i) => used.map((j) => rows.reduce((sum, [x]) => sum + x[i] * x[j], 0))),
      used.map((i) => rows.reduce((sum, [x, y]) => sum + x[i] * y, 0)),
    );
    if (solution.some((value) => !(value >= 0))) continue;
    const coefficients = [0, 0, 0];
    used.forEach((i, at) => coefficients[i] = solution[at]);
    const squares = rows.map(([x, y]) =>
      (x.reduce((sum, value, i) => sum + value * coefficients[i], 0) - y) ** 2
    );
    const error = Math.sqrt(mean(squares));
    if (error < best.error) best = { coefficients, error };
  }
  return best;
}

/** Gaussian elimination; NaN where there is no one solution. */
function solve(matrix: number[][], right: number[]): number[] {
  const rows = matrix.map((row, i) => [...row, right[i]]);
  for (let i = 0; i < rows.length; i++) {
    for (let j = 0; j < rows.length; j++) {
      if (i === j) continue;
      const factor = rows[j][i] / rows[i][i];
      rows[j] = rows[j].map((value, k) => value - factor * rows[i][k]);
    }
  }
  return rows.map((row, i) => row.at(-1)! / row[i]);
}

function mean(list: readonly number[]): number {
  return list.reduce((sum, x) => sum + x, 0) / list.length;
}

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}
