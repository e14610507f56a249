/**
 * The one entry of the solver: plans within budgets and fronts of them.
 *
 * @module
 */
export { type FrontOptions, paretoFront } from "./front.ts";
export type * from "./problem.ts";
export { solvePlan, totalsOf } from "./solve_plan.ts";
