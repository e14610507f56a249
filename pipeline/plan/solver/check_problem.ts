/**
 * Refuses problems that make no sense before anything is computed with them.
 *
 * @module
 */
import { PlimsollError } from "../../../core/errors.ts";
import type { PlanProblem, SolveOptions } from "./problem.ts";

function refuse(wanted: string, found: string): never {
  throw new PlimsollError("usage", {
    action: "solving a plan",
    wanted,
    found,
    remedy: "Mend the costs that were given",
  });
}

/** Throws a {@linkcode PlimsollError} of kind "usage" unless all indexes exist and all costs are numbers above −∞. */
export function checkProblem(problem: PlanProblem): void {
  const { dimensions, nodes, borders, budgets, limits = [] } = problem;
  const index = (at: number, count: number, what: string) => {
    if (!Number.isInteger(at) || at < 0 || at >= count) {
      refuse(`${what}, one of ${count}`, `index ${at}`);
    }
  };
  const length = (list: readonly unknown[] | undefined, count: number, what: string) => {
    if (list?.length !== count) refuse(`${count} ${what}`, `${list?.length ?? "none"}`);
  };
  // Names are put together for errors only: there may be a hundred thousand costs.
  const costs = (list: readonly number[], what: (at: number) => string) => {
    for (let at = 0; at < list.length; at++) {
      if (typeof list[at] === "number" && list[at] > -Infinity) continue;
      refuse(`${what(at)} to be a number, or Infinity for what is forbidden`, `${list[at]}`);
    }
  };
  const most = (value: number, what: string) => {
    if (typeof value !== "number" || !(value > -Infinity)) {
      refuse(`${what} to be a number, or Infinity for none`, `${value}`);
    }
  };
  index(problem.objective, dimensions.length, "a dimension as objective");
  for (const { name, options } of nodes) {
    if (options.length === 0) refuse(`an option of ${name} at least`, "none");
    for (const [at, option] of options.entries()) {
      length(option.costs, dimensions.length, `costs of option ${at} of ${name}`);
      costs(option.costs, (d) => `${dimensions[d]} of option ${at} of ${name}`);
    }
  }
  for (const { a, b, costs: tables } of borders) {
    index(a, nodes.length, "a node as end of a border");
    index(b, nodes.length, "a node as end of a border");
    if (a === b) refuse("borders between two nodes", `one from ${nodes[a].name} to itself`);
    const name = `the border of ${nodes[a].name} and ${nodes[b].name}`;
    length(tables, dimensions.length, `tables of costs of ${name}`);
    for (const [d, table] of tables.entries()) {
      if (table === null) continue;
      length(table, nodes[a].options.length, `rows of ${dimensions[d]} of ${name}`);
      for (const row of table) {
        length(row, nodes[b].options.length, `columns of ${dimensions[d]} of ${name}`);
        costs(row, () => `${dimensions[d]} of ${name}`);
      }
    }
  }
  for (const budget of budgets) {
    index(budget.dimension, dimensions.length, "a dimension with a budget");
    most(budget.most, `the budget of ${dimensions[budget.dimension]}`);
  }
  for (const [at, limit] of limits.entries()) {
    const name = limit.name ?? `limit ${at}`;
    most(limit.most, name);
    for (const { node, costs } of limit.terms) {
      index(node, nodes.length, `a node as term of ${name}`);
      length(costs, nodes[node].options.length, `costs of ${nodes[node].name} in ${name}`);
      for (const value of costs) {
        if (!Number.isFinite(value)) {
          refuse(`finite costs of ${nodes[node].name} in ${name}`, `${value}`);
        }
      }
    }
  }
}

/** Throws a {@linkcode PlimsollError} of kind "usage" unless a front can be across a dimension. */
export function checkDimension({ dimensions, objective }: PlanProblem, across: number): void {
  if (dimensions[across] !== undefined && across !== objective) return;
  refuse(`a dimension other than the objective, one of ${dimensions.length}`, `index ${across}`);
}

/** Throws a {@linkcode PlimsollError} of kind "usage" unless the options are counts and shares. */
export function checkOptions(problem: PlanProblem, options: Required<SolveOptions>): void {
  const { nodes, gap, start } = options;
  if (!Number.isInteger(nodes) || nodes < 1) refuse("a count of nodes from 1", `${nodes}`);
  if (!(gap >= 0)) refuse("a gap from 0", `${gap}`);
  for (const choice of start) {
    if (
      choice.length !== problem.nodes.length ||
      choice.some((option, i) => problem.nodes[i].options[option] === undefined)
    ) refuse("choices to begin with that have an existing option for each node", `${choice}`);
  }
}
