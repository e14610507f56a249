/** Random plan problems from seeds, and ways to solve small ones that share nothing with the solver. */
import { uniform } from "../../../support/random.ts";
import type {
  PlanBorder,
  PlanLimit,
  PlanProblem,
} from "../../../../pipeline/plan/solver/problem.ts";

/** How the nodes of a problem are joined. */
export type Shape = "chain" | "residual" | "sparse" | "apart";

/** What a random problem is like; see {@linkcode randomProblem}. */
export interface Wish {
  readonly seed: number;
  readonly nodes: number;
  readonly shape: Shape;
  /** Options a node at most; each has 1 or more, or exactly that many. */
  readonly labels: number;
  readonly exactly?: boolean;
  /** Dimensions with budgets beside the objective. */
  readonly budgets: number;
  readonly limits?: number;
  /** Share of border costs below 0, and of combinations that are forbidden. */
  readonly negative?: number;
  readonly forbidden?: number;
  /** Where budgets are between what a thrifty and a random choice cost: 0 to 1; 0 is hard to keep, −1 mostly impossible. */
  readonly tightness?: number;
  /** Borders cost only where labels differ, as Potts' do. */
  readonly potts?: boolean;
  /** Costs are small integers, so that many plans cost the same. */
  readonly integers?: boolean;
}

/** Nodes that touch. */
export function edgesOf({ shape, nodes }: Pick<Wish, "shape" | "nodes">, next: () => number) {
  const edges: [number, number][] = [];
  if (shape === "apart") return edges;
  for (let i = 1; i < nodes; i++) edges.push([i - 1, i]);
  if (shape === "residual") { for (let i = 3; i < nodes; i += 3) edges.push([i - 3, i]); }
  if (shape === "sparse") {
    for (let k = 0; k < nodes; k++) {
      const [a, b] = [Math.floor(next() * nodes), Math.floor(next() * nodes)];
      if (a !== b) edges.push([a, b]);
    }
  }
  return edges;
}

/** The problem of a wish. */
export function randomProblem(wish: Wish): PlanProblem {
  const { seed, nodes, labels, budgets, limits = 0, negative = 0, forbidden = 0 } = wish;
  const next = uniform(seed);
  const dimensions = ["loss", "time", "size", "ops"].slice(0, 1 + budgets);
  const value = (scale: number) =>
    wish.integers ? Math.floor(next() * 4) : scale * next() * next() * next();
  const list = Array.from({ length: nodes }, (_, i) => {
    const weight = 0.2 + 2 * next() * next();
    const count = wish.exactly ? labels : 1 + Math.floor(next() * labels);
    return {
      name: `unit ${i}`,
      options: Array.from({ length: count }, (_, x) => ({
        // Dearer in one dimension is cheaper in the other, as bits are.
        costs: dimensions.map((_, d) =>
          value(weight * (d === 0 ? 4 ** (count - 1 - x) : 1 + x * (0.5 + next())))
        ),
      })),
    };
  });
  const borders: PlanBorder[] = edgesOf(wish, next).map(([a, b]) => ({
    a,
    b,
    costs: dimensions.map(() =>
      next() < 0.3 ? null : list[a].options.map((_, x) =>
        list[b].options.map((_, y) => {
          if (wish.potts) return x === y ? 0 : value(1);
          if (next() < forbidden) return Infinity;
          return next() < negative ? -value(1) : value(1);
        })
      )
    ),
  }));
  const limitList: { name: string; terms: PlanLimit["terms"] }[] = Array.from(
    { length: limits },
    (_, k) => ({
      name: `step ${k}`,
      terms: list.flatMap(({ options }, node) =>
        next() < 0.5 ? [{ node, costs: options.map(() => next()) }] : []
      ),
    }),
  );
  const problem: PlanProblem = { dimensions, nodes: list, borders, objective: 0, budgets: [] };
  const mean = list.map(({ options }) => Math.floor(next() * options.length));
  const [low, high] = [thrifty(problem, limitList, mean), mean];
  const tightness = wish.tightness ?? 0.3;
  const between = (from: number, to: number) =>
    from + tightness * Math.max(0, Number.isFinite(to) ? to - from : Math.abs(from));
  const budgetList = dimensions.slice(1).map((_, d) => ({
    dimension: d + 1,
    most: between(total(problem, low, d + 1), total(problem, high, d + 1)),
  }));
  return {
    ...problem,
    // Nothing is within what forbidden choices cost.
    budgets: budgetList.map(({ dimension, most }) => ({
      dimension,
      most: most < Infinity ? most : 1,
    })),
    limits: limitList.map(({ name, terms }) => ({
      name,
      terms,
      most: between(limitTotal(terms, low), limitTotal(terms, high)),
    })),
  };
}

/** A choice that costs little of everything but the objective, by changing one node after the other. */
function thrifty(
  problem: PlanProblem,
  limits: readonly { terms: PlanLimit["terms"] }[],
  from: readonly number[],
): number[] {
  const choice = [...from];
  const cost = () => {
    let sum = 0;
    for (let d = problem.dimensions.length > 1 ? 1 : 0; d < problem.dimensions.length; d++) {
      sum += Math.min(1e9, total(problem, choice, d));
    }
    for (const { terms } of limits) sum += limitTotal(terms, choice) / limits.length;
    return sum;
  };
  for (const [i, { options }] of [...problem.nodes, ...problem.nodes].entries()) {
    const node = i % choice.length;
    let [best, least] = [choice[node], cost()];
    for (let x = 0; x < options.length; x++) {
      choice[node] = x;
      const own = cost();
      if (own < least) [best, least] = [x, own];
    }
    choice[node] = best;
  }
  return choice;
}

/** Total of a limit. */
export function limitTotal(terms: PlanLimit["terms"], choice: readonly number[]): number {
  return terms.reduce((sum, { node, costs }) => sum + costs[choice[node]], 0);
}

/** Total of a dimension, +Infinity if any dimension forbids the choice. */
export function total(problem: PlanProblem, choice: readonly number[], dimension: number): number {
  let sum = 0;
  for (const [i, node] of problem.nodes.entries()) {
    const { costs } = node.options[choice[i]];
    if (costs.includes(Infinity)) return Infinity;
    sum += costs[dimension];
  }
  for (const { a, b, costs } of problem.borders) {
    if (costs.some((table) => table?.[choice[a]][choice[b]] === Infinity)) return Infinity;
    sum += costs[dimension]?.[choice[a]][choice[b]] ?? 0;
  }
  return sum;
}

/** Whether a choice keeps all budgets and limits, but for rounding. */
export function keeps(problem: PlanProblem, choice: readonly number[]): boolean {
  for (const { dimension, most } of problem.budgets) {
    const sum = total(problem, choice, dimension);
    if (sum === Infinity || sum > most + 1e-9 * Math.max(1, Math.abs(most))) return false;
  }
  for (const { most, terms } of problem.limits ?? []) {
    const sum = limitTotal(terms, choice);
    if (sum > most + 1e-9 * Math.max(1, Math.abs(most))) return false;
  }
  return total(problem, choice, problem.objective) < Infinity;
}

/** The least objective of all choices there are; Infinity if none is allowed. */
export function bruteForce(problem: PlanProblem): number {
  const choice = problem.nodes.map(() => 0);
  for (let least = Infinity;;) {
    if (keeps(problem, choice)) {
      least = Math.min(least, total(problem, choice, problem.objective));
    }
    let i = 0;
    for (; i < choice.length; i++) {
      if (++choice[i] < problem.nodes[i].options.length) break;
      choice[i] = 0;
    }
    if (i === choice.length) return least;
  }
}
