// deno-lint-ignore-file no-console
/** How long plans of 200 units, 5 options and 2 budgets take; answers are checked first. */
import assert from "node:assert/strict";
import { solvePlan } from "../../pipeline/plan/solver/solve.ts";
import { keeps, randomProblem } from "../pipeline/plan/solver/problems.ts";

const times: number[] = [];
for (let seed = 1; seed <= 40; seed++) {
  const problem = randomProblem({
    seed,
    nodes: 200,
    shape: "residual",
    labels: 5,
    exactly: true,
    budgets: 2,
    tightness: 0.1 + seed % 4 * 0.15,
    potts: seed % 3 === 0,
    negative: seed % 3 === 1 ? 0.2 : 0,
  });
  const start = performance.now();
  const found = solvePlan(problem);
  times.push(performance.now() - start);
  assert.ok(!("infeasible" in found) && found.gap <= 1e-3 && keeps(problem, found.choice));
}
const [first] = times;
times.sort((a, b) => a - b);
const at = (share: number) => times[Math.floor(share * (times.length - 1))].toFixed(0);
console.log(
  `plans of 200 units, milliseconds: first ${first.toFixed(0)}, median ${at(0.5)}, ` +
    `nine of ten below ${at(0.9)}, longest ${at(1)}`,
);
