/** Fronts against all choices there are. */
import assert from "node:assert/strict";
import { paretoFront } from "../../../../pipeline/plan/solver/solve.ts";
import { bruteForce, keeps, randomProblem, total } from "./problems.ts";

Deno.test("every plan of a front is the best for its budget, the ends are there, and none is worse than another", () => {
  for (let seed = 1; seed <= 25; seed++) {
    const problem = randomProblem({
      seed,
      nodes: 6,
      shape: "residual",
      labels: 3,
      budgets: 2,
      tightness: 0.8,
    });
    // Across the first of the budgets, within the second.
    const free = { ...problem, budgets: problem.budgets.slice(1) };
    const least = bruteForce({ ...free, objective: 1 });
    const front = paretoFront(free, 1, { gap: 0, points: 40 });
    assert.ok(!("infeasible" in front), `seed ${seed}`);
    for (const [at, { choice, totals }] of front.entries()) {
      assert.ok(keeps(free, choice));
      const best = bruteForce({
        ...free,
        budgets: [...free.budgets, { dimension: 1, most: totals[1] }],
      });
      assert.ok(Math.abs(total(free, choice, 0) - best) < 1e-9, `seed ${seed}, plan ${at}`);
      if (at === 0) continue;
      assert.ok(totals[1] > front[at - 1].totals[1] && totals[0] < front[at - 1].totals[0]);
    }
    assert.ok(Math.abs(front[0].totals[1] - least) < 1e-9, `seed ${seed}: the least`);
    assert.ok(
      Math.abs(front.at(-1)!.totals[0] - bruteForce(free)) < 1e-9,
      `seed ${seed}: the best`,
    );
    // Between plans with few points left to solve for there is none: all budgets have their best plan.
    if (front.length >= 40) continue;
    for (let k = 1; k < front.length; k++) {
      const most = front[k].totals[1] - 1e-7;
      const best = bruteForce({ ...free, budgets: [...free.budgets, { dimension: 1, most }] });
      assert.ok(Math.abs(best - front[k - 1].totals[0]) < 1e-9, `seed ${seed} below plan ${k}`);
    }
  }
});

Deno.test("fronts have no more plans than asked for, and one where nothing is to be gained", () => {
  const problem = randomProblem({
    seed: 1,
    nodes: 60,
    shape: "chain",
    labels: 4,
    exactly: true,
    budgets: 1,
  });
  const front = paretoFront({ ...problem, budgets: [] }, 1, { points: 7 });
  assert.ok(!("infeasible" in front) && front.length <= 7 && front.length > 3);
  const one = paretoFront({
    dimensions: ["loss", "time"],
    nodes: [{ name: "unit", options: [{ costs: [1, 1] }, { costs: [2, 2] }] }],
    borders: [],
    objective: 0,
    budgets: [],
  }, 1);
  assert.ok(!("infeasible" in one));
  assert.deepEqual(one.map(({ choice }) => choice), [[0]]);
});

Deno.test("a front across the objective or nothing is refused, one without plans says why", () => {
  const problem = randomProblem({ seed: 1, nodes: 3, shape: "chain", labels: 2, budgets: 1 });
  assert.throws(() => paretoFront(problem, 0), /a dimension other than the objective/);
  assert.throws(() => paretoFront(problem, 7), /index 7/);
  const none = paretoFront({ ...problem, budgets: [{ dimension: 1, most: -1 }] }, 1);
  assert.ok("infeasible" in none && none.proved);
});
