/**
 * Operators of single elements as functions of numbers, for looking at the shape of what is written with them.
 *
 * @module
 */
import { own } from "../../core/own.ts";
import type { Constants, NodeView } from "../graph/node_view.ts";
import { attributeOf, clampRange } from "./operators.ts";

/** From the inputs of a node, one element each, to its output. */
export type ScalarFunction = (inputs: readonly number[]) => number;

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const clip = (x: number, low: number, high: number) => Math.min(Math.max(x, low), high);
const softplus = (x: number) => x > 30 ? x : Math.log1p(Math.exp(x));

/**
 * Error function, to 1.5e-7: Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26. Its tails are exact.
 */
function erf(x: number): number {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const series = t * (0.254829592 +
    t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return Math.sign(x) * (1 - series * Math.exp(-x * x));
}

const FUNCTIONS: Readonly<Record<string, ScalarFunction>> = {
  Add: ([a, b]) => a + b,
  Sub: ([a, b]) => a - b,
  Mul: ([a, b]) => a * b,
  Div: ([a, b]) => a / b,
  Pow: ([a, b]) => Math.pow(a, b),
  Max: (all) => Math.max(...all),
  Min: (all) => Math.min(...all),
  Neg: ([x]) => -x,
  Abs: ([x]) => Math.abs(x),
  Exp: ([x]) => Math.exp(x),
  Erf: ([x]) => erf(x),
  Tanh: ([x]) => Math.tanh(x),
  Sigmoid: ([x]) => sigmoid(x),
  Softplus: ([x]) => softplus(x),
  HardSwish: ([x]) => x * clip(x / 6 + 0.5, 0, 1),
  Mish: ([x]) => x * Math.tanh(softplus(x)),
};

/** The function of a node; undefined for operators that have none, or none that is known. */
export function scalarFunction(node: NodeView, constants: Constants): ScalarFunction | undefined {
  if (node.domain !== "") return;
  const number = (name: string) => Number(attributeOf(node, name));
  const bounds = clampRange(node, constants);
  if (bounds !== undefined) return ([x]) => clip(x, bounds[0], bounds[1]);
  switch (node.op) {
    case "HardSigmoid":
      return ([x]) => clip(number("alpha") * x + number("beta"), 0, 1);
    case "Elu":
      return ([x]) => x > 0 ? x : number("alpha") * Math.expm1(x);
    case "Gelu":
      return attributeOf(node, "approximate") === "tanh"
        ? ([x]) => x * (1 + Math.tanh(0.7978845608 * (x + 0.044715 * x ** 3))) / 2
        : ([x]) => x * (1 + erf(x * Math.SQRT1_2)) / 2;
    default:
      return own(FUNCTIONS, node.op);
  }
}
