/** Plans of random problems against all choices there are and against HiGHS, and what is no usual problem. */
import assert from "node:assert/strict";
import {
  type PlanProblem,
  type PlanSolution,
  solvePlan,
} from "../../../../pipeline/plan/solver/solve.ts";
import { solveByHighs } from "./highs.ts";
import { bruteForce, keeps, randomProblem, type Shape, total } from "./problems.ts";

const SHAPES: readonly Shape[] = ["chain", "residual", "sparse", "apart"];

/** Fails unless a solution keeps all budgets, is as good as it says, and says no more than is true. */
function compare(problem: PlanProblem, gap: number, least: number, rounding: number, seed: number) {
  const found = solvePlan(problem, { gap, nodes: 20_000 });
  if ("infeasible" in found) {
    assert.equal(least, Infinity, `seed ${seed}: ${found.why}`);
    assert.ok(found.proved, `seed ${seed}`);
    return undefined;
  }
  const value = total(problem, found.choice, problem.objective);
  const about = rounding * Math.max(1, Math.abs(least));
  assert.ok(keeps(problem, found.choice), `seed ${seed}: budgets`);
  assert.ok(found.gap <= gap, `seed ${seed}: gap ${found.gap}`);
  assert.ok(found.bound <= least + about, `seed ${seed}: bound ${found.bound} of ${least}`);
  const most = found.bound + gap * Math.abs(found.bound) + about;
  assert.ok(value >= least - about && value <= most, `seed ${seed}: ${value} for ${least}`);
  assert.ok(Math.abs(value - found.totals[problem.objective]) <= about, `seed ${seed}: totals`);
  return found;
}

Deno.test("plans of 600 small problems are those of trying all choices, within the stated gap", () => {
  let [plans, none] = [0, 0];
  for (let seed = 1; seed <= 600; seed++) {
    const problem = randomProblem({
      seed,
      nodes: seed % 8,
      shape: SHAPES[seed % 4],
      labels: 2 + seed % 4,
      budgets: seed % 4,
      limits: seed % 3,
      negative: seed % 5 / 8,
      forbidden: seed % 7 / 25,
      tightness: seed % 11 / 12 - 0.1,
      potts: seed % 6 === 0,
      integers: seed % 5 === 0,
    });
    const found = compare(problem, seed % 2 ? 0 : 1e-3, bruteForce(problem), 1e-9, seed);
    if (found) plans++;
    else none++;
  }
  assert.ok(plans > 400 && none > 50, `${plans} plans, ${none} problems without`);
});

Deno.test("plans of 240 problems of 6 to 16 nodes are those of HiGHS, within the stated gap", () => {
  let [plans, none] = [0, 0];
  for (let seed = 1; seed <= 240; seed++) {
    const problem = randomProblem({
      seed: 1000 + seed,
      nodes: 6 + seed % 11,
      shape: SHAPES[seed % 4],
      labels: 2 + (seed >> 1) % 4,
      exactly: seed % 3 === 0,
      budgets: (seed >> 2) % 4,
      limits: (seed >> 1) % 3,
      negative: seed % 5 / 8,
      forbidden: seed % 7 / 60,
      tightness: seed % 11 / 14 - 0.05,
      potts: seed % 6 === 0,
      integers: seed % 5 === 0,
    });
    const found = compare(problem, seed % 2 ? 0 : 1e-3, solveByHighs(problem), 1e-6, seed);
    if (found) plans++;
    else none++;
  }
  assert.ok(plans > 130 && none > 10, `${plans} plans, ${none} problems without`);
});

Deno.test("200 units of 5 options with 2 budgets are solved within the gap of 1e-3 in few branches", () => {
  for (let seed = 1; seed <= 8; seed++) {
    const problem = randomProblem({
      seed,
      nodes: 200,
      shape: "residual",
      labels: 5,
      exactly: true,
      budgets: 2,
      tightness: 0.1 + seed % 4 * 0.15,
      potts: seed % 3 === 0,
    });
    const found = solvePlan(problem) as PlanSolution;
    assert.ok(found.gap <= 1e-3, `seed ${seed}: gap ${found.gap}`);
    assert.ok(found.nodes < 500, `seed ${seed}: ${found.nodes} branches`);
    assert.ok(keeps(problem, found.choice), `seed ${seed}`);
    assert.deepEqual(solvePlan(structuredClone(problem)), found, "the same again");
  }
});

Deno.test("a search that ends early says how far from the optimum it may be", () => {
  let wide = 0;
  for (let seed = 1; seed <= 10; seed++) {
    const problem = randomProblem({ seed, nodes: 14, shape: "sparse", labels: 3, budgets: 2 });
    const least = solveByHighs(problem);
    const found = solvePlan(problem, { nodes: 1, gap: 0 });
    if ("infeasible" in found) {
      assert.equal(found.proved, least === Infinity);
      continue;
    }
    assert.ok(found.bound <= least + 1e-6 && found.totals[0] >= least - 1e-6, `seed ${seed}`);
    if (found.gap > 0) wide++;
  }
  assert.ok(wide > 0, "one branch is too little for some");
});

Deno.test("choices to begin with are used where they are better, and repaired where they aren't within", () => {
  const problem = randomProblem({ seed: 5, nodes: 40, shape: "residual", labels: 4, budgets: 2 });
  const best = solvePlan(problem, { gap: 0 }) as PlanSolution;
  const again = solvePlan(problem, { nodes: 1, gap: 0, start: [best.choice] }) as PlanSolution;
  assert.deepEqual(again.choice, best.choice);
  const far = solvePlan(problem, { nodes: 1, start: [problem.nodes.map(() => 0)] });
  assert.ok(!("infeasible" in far) && keeps(problem, far.choice));
});

/** A chain whose nodes all have the options [loss, size] given, with Potts borders in the loss. */
function chain(count: number, options: readonly number[][], border = 0): PlanProblem {
  return {
    dimensions: ["loss", "size"],
    nodes: Array.from({ length: count }, (_, i) => ({
      name: `unit ${i}`,
      options: options.map((costs) => ({ costs })),
    })),
    borders: Array.from({ length: Math.max(0, count - 1) }, (_, i) => ({
      a: i,
      b: i + 1,
      costs: [options.map((_, x) => options.map((_, y) => x === y ? 0 : border)), null],
    })),
    objective: 0,
    budgets: [],
  };
}

Deno.test("no nodes, one option each and nothing but zeros have plans, too", () => {
  assert.deepEqual(solvePlan(chain(0, [])), {
    choice: [],
    totals: [0, 0],
    bound: 0,
    gap: 0,
    nodes: 1,
  });
  const one = solvePlan(chain(3, [[1, 2]], 7)) as PlanSolution;
  assert.deepEqual([one.choice, one.totals, one.gap], [[0, 0, 0], [3, 6], 0]);
  const zero = { ...chain(50, [[0, 0], [0, 0], [0, 0]]), budgets: [{ dimension: 1, most: 0 }] };
  const found = solvePlan(zero) as PlanSolution;
  assert.deepEqual([found.choice.every((x) => x === 0), found.gap, found.nodes], [true, 0, 1]);
});

Deno.test("of equal options the first is chosen, with a minimum cut, with elimination and within budgets", () => {
  const two = solvePlan(chain(9, [[1, 1], [1, 1]], 1)) as PlanSolution;
  const three = solvePlan(chain(9, [[1, 1], [1, 1], [1, 1]], 1)) as PlanSolution;
  const within = { ...chain(9, [[1, 1], [1, 1]], 1), budgets: [{ dimension: 1, most: 9 }] };
  for (const found of [two, three, solvePlan(within) as PlanSolution]) {
    assert.deepEqual(found.choice, Array(9).fill(0));
  }
});

Deno.test("budgets of Infinity are none, of exactly the least are kept, and below it can't be", () => {
  const problem = chain(30, [[1, 0.3], [5, 0.1], [9, 0.7]], 0.25);
  const free = solvePlan({ ...problem, budgets: [{ dimension: 1, most: Infinity }] });
  assert.equal((free as PlanSolution).totals[0], 30);
  // Not 30 · 0.1: sums of tenths in another order differ in the last bits.
  for (const most of [30 * 0.1, Array(30).fill(0.1).reduce((a, b) => a + b, 0)]) {
    const least = solvePlan({ ...problem, budgets: [{ dimension: 1, most }] }) as PlanSolution;
    assert.deepEqual(least.choice, Array(30).fill(1), `${most}`);
    assert.ok(least.gap < 1e-9, `${least.gap}`);
  }
  const none = solvePlan({ ...problem, budgets: [{ dimension: 1, most: 2.9 }] });
  assert.ok("infeasible" in none && none.proved);
  assert.match(none.why, /^size can't be less than 3, and may be 2\.9 at most$/);
});

Deno.test("what can't be says why: forbidden combinations, budgets and limits together", () => {
  const forbidden = chain(3, [[1, 1], [1, 1]]);
  const never = [[Infinity, Infinity], [Infinity, Infinity]];
  const no = solvePlan({ ...forbidden, borders: [{ a: 2, b: 0, costs: [null, never] }] });
  assert.ok("infeasible" in no && no.proved && /may not stand beside/.test(no.why), "borders");
  const opposite: PlanProblem = {
    ...chain(4, [[0, 1], [2, 0]]),
    budgets: [{ dimension: 0, most: 3 }, { dimension: 1, most: 2 }],
  };
  const both = solvePlan(opposite);
  assert.ok("infeasible" in both && both.proved && /not all budgets/.test(both.why), "budgets");
  const most = [{ most: 3, terms: [{ node: 0, costs: [4, 5] }], name: "step 7" }];
  const limit = solvePlan({ ...chain(2, [[0, 1], [2, 0]]), limits: most });
  assert.ok("infeasible" in limit && limit.proved, "limit");
  assert.match(limit.why, /^step 7 can't be less than 4, and may be 3 at most$/);
});

Deno.test("a dimension that forbids does so without a budget; other values stay finite", () => {
  const problem = chain(2, [[0, Infinity], [3, 1]]);
  const found = solvePlan(problem) as PlanSolution;
  assert.deepEqual([found.choice, found.totals], [[1, 1], [6, 2]]);
});

Deno.test("borders that are given twice, in either direction, add up", () => {
  const table = [[0, 1], [4, 0]];
  const turned = [[0, 4], [1, 0]];
  const nodes = chain(2, [[0, 0], [0.5, 0]]);
  const own = {
    ...nodes,
    nodes: [nodes.nodes[0], {
      ...nodes.nodes[1],
      options: [{ costs: [9, 0] }, nodes.nodes[1].options[1]],
    }],
  };
  const once = solvePlan({
    ...own,
    borders: [{ a: 0, b: 1, costs: [table.map((r) => r.map((v) => 2 * v)), null] }],
  });
  const twice = solvePlan({
    ...own,
    borders: [{ a: 0, b: 1, costs: [table, null] }, { a: 1, b: 0, costs: [turned, null] }],
  });
  assert.deepEqual(twice, once);
  assert.equal((twice as PlanSolution).totals[0], 1);
});

Deno.test("hundreds of limits of which few bind cost few branches", () => {
  const base = randomProblem({ seed: 3, nodes: 100, shape: "residual", labels: 4, budgets: 1 });
  const free = solvePlan(base) as PlanSolution;
  // Memory at a step: a window of nodes; a tenth of the steps allows less than the plan without limits takes.
  const limits = Array.from({ length: 300 }, (_, k) => {
    const terms = base.nodes.slice(k % 90, k % 90 + 8).map(({ options }, at) => ({
      node: k % 90 + at,
      costs: options.map((_, x) => (x + 1) * (1 + at % 3)),
    }));
    const used = terms.reduce((sum, { node, costs }) => sum + costs[free.choice[node]], 0);
    return { terms, most: k % 10 === 0 ? Math.max(15, used - 2) : 100 };
  });
  const found = solvePlan({ ...base, limits }, { gap: 0.01 }) as PlanSolution;
  assert.ok(keeps({ ...base, limits }, found.choice));
  assert.ok(found.gap <= 0.01 && found.nodes <= 1000, `${found.gap} in ${found.nodes}`);
  assert.notDeepEqual(found.choice, free.choice, "some bind");
});

Deno.test("problems that make no sense are refused with a sentence", () => {
  const good = chain(2, [[1, 1], [2, 2]]);
  const refused = (change: Partial<PlanProblem>, found: RegExp) =>
    assert.throws(() => solvePlan({ ...good, ...change }), { kind: "usage", message: found });
  const [first, second] = good.nodes;
  const node = (costs: number[]) => [first, { ...second, options: [{ costs }] }];
  refused({ nodes: node([NaN, 0]), borders: [] }, /loss of option 0 of unit 1 .* found NaN/);
  refused({ nodes: node([-Infinity, 0]), borders: [] }, /found -Infinity/);
  refused({ nodes: node([1]), borders: [] }, /2 costs of option 0 of unit 1, found 1/);
  refused({ nodes: [first, { name: "empty", options: [] }] }, /an option of empty at least/);
  refused({ objective: 2 }, /index 2/);
  refused({ budgets: [{ dimension: 5, most: 1 }] }, /index 5/);
  refused({ budgets: [{ dimension: 1, most: NaN }] }, /the budget of size .* found NaN/);
  refused({ borders: [{ a: 0, b: 2, costs: [null, null] }] }, /index 2/);
  refused({ borders: [{ a: 1, b: 1, costs: [null, null] }] }, /unit 1 to itself/);
  refused({ borders: [{ a: 0, b: 1, costs: [[[1, 2]], null] }] }, /2 rows of loss/);
  refused({ borders: [{ a: 0, b: 1, costs: [[[1], [2]], null] }] }, /2 columns of loss/);
  refused({ borders: [{ a: 0, b: 1, costs: [[[1, NaN], [2, 3]], null] }] }, /found NaN/);
  refused({ limits: [{ most: 1, terms: [{ node: 0, costs: [1] }] }] }, /2 costs of unit 0/);
  refused({ limits: [{ most: 1, terms: [{ node: 0, costs: [1, Infinity] }] }] }, /finite costs/);
  assert.throws(() => solvePlan(good, { nodes: 0 }), /a count of nodes/);
  assert.throws(() => solvePlan(good, { gap: NaN }), /a gap/);
  assert.throws(() => solvePlan(good, { start: [[0]] }), /choices to begin with/);
});

Deno.test("the solver asks no clock, no chance and no engine's own mathematics", () => {
  const folder = "pipeline/plan/solver/";
  for (const { name } of Deno.readDirSync(folder)) {
    if (!name.endsWith(".ts")) continue;
    const text = Deno.readTextFileSync(folder + name);
    const own =
      /Math\.(?!min|max|abs|floor|ceil|round|sqrt)\w+|\bDate\b|performance\.|localeCompare/;
    assert.doesNotMatch(text, own, name);
    for (const [, from] of text.matchAll(/from "([^"]+)"/g)) {
      assert.match(from, /^\.\/|^\.\.\/\.\.\/\.\.\/core\//, `${name} imports ${from}`);
    }
  }
});
