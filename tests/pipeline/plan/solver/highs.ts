/** The same problems as an integer program for HiGHS, an oracle that shares nothing with the solver. */
import loadHighs from "highs";
import type { PlanProblem } from "../../../../pipeline/plan/solver/problem.ts";

// The package's types are those of CommonJS, where its default export is a property; Deno loads its module.
const highs = await (loadHighs as unknown as typeof loadHighs.default)();

/**
 * The least objective by HiGHS; Infinity if there is none. Options are binaries, combinations of a border continuous from
 * 0, with sums that give each end's option (the local polytope).
 */
export function solveByHighs(problem: PlanProblem): number {
  const { nodes, borders, budgets, limits = [], objective } = problem;
  const columns: string[] = [];
  const rows: string[] = [];
  const zero: string[] = [];
  const sums = [problem.objective, ...budgets.map(({ dimension }) => dimension)].map(() =>
    [] as string[]
  );
  const dimensions = [objective, ...budgets.map(({ dimension }) => dimension)];
  const term = (cost: number, name: string) => `${cost < 0 ? "-" : "+"} ${Math.abs(cost)} ${name}`;
  const price = (name: string, costs: readonly number[]) => {
    if (costs.includes(Infinity)) zero.push(name);
    else for (const [k, d] of dimensions.entries()) sums[k].push(term(costs[d], name));
  };
  for (const [i, { options }] of nodes.entries()) {
    const names = options.map((_, x) => `x${i}_${x}`);
    columns.push(...names);
    rows.push(`${names.map((name) => `+ 1 ${name}`).join(" ")} = 1`);
    for (const [x, { costs }] of options.entries()) price(names[x], costs);
  }
  for (const [e, { a, b, costs }] of borders.entries()) {
    const [own, other] = [nodes[a].options, nodes[b].options];
    const name = (x: number, y: number) => `y${e}_${x}_${y}`;
    for (const [x] of own.entries()) {
      rows.push(`${other.map((_, y) => `+ 1 ${name(x, y)}`).join(" ")} - 1 x${a}_${x} = 0`);
      for (const [y] of other.entries()) {
        price(name(x, y), problem.dimensions.map((_, d) => costs[d]?.[x][y] ?? 0));
      }
    }
    for (const [y] of other.entries()) {
      rows.push(`${own.map((_, x) => `+ 1 ${name(x, y)}`).join(" ")} - 1 x${b}_${y} = 0`);
    }
  }
  for (const [k, { most }] of budgets.entries()) {
    if (most < Infinity) rows.push(`${sums[k + 1].join(" ")} <= ${most}`);
  }
  for (const { terms, most } of limits) {
    if (most === Infinity || terms.length === 0) continue;
    const parts = terms.flatMap(({ node, costs }) => costs.map((c, x) => term(c, `x${node}_${x}`)));
    rows.push(`${parts.join(" ")} <= ${most}`);
  }
  const text = [
    "Minimize",
    ` obj: ${sums[0].join("\n ")}`,
    "Subject To",
    ...rows.map((row, k) => ` c${k}: ${row}`),
    "Bounds",
    ...zero.map((name) => ` ${name} = 0`),
    "Binary",
    ` ${columns.filter((name) => !zero.includes(name)).join("\n ")}`,
    "End",
    "",
  ].join("\n");
  const found = highs.solve(text, { mip_rel_gap: 1e-9, mip_abs_gap: 1e-9, output_flag: false });
  if (found.Status === "Infeasible") return Infinity;
  if (found.Status !== "Optimal") throw new Error(`HiGHS says ${found.Status}`);
  return found.ObjectiveValue;
}
