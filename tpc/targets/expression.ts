/**
 * Expressions that describe a sub-graph, as `Mul(x, Sigmoid(x))`.
 *
 *     expression = operator attributes? "(" expression { "," expression } ")" | "x" | "c" | "s" | number | part
 *     attributes = "{" name "=" number { "," name "=" number } "}"
 *
 * `x` is the input of the sub-graph, the same wherever it stands; `c` is any constant, a number a constant of
 * that value; `s` is a shape or axes: integers, constant or computed. A part is the name of several expressions, any of
 * which may stand there.
 *
 * @module
 */

/** A parsed expression. */
export type Expression =
  | { readonly kind: "input" }
  | { readonly kind: "constant"; readonly value?: number }
  | { readonly kind: "shape" }
  | { readonly kind: "choice"; readonly part: string; readonly options: readonly Expression[] }
  | {
    readonly kind: "node";
    readonly op: string;
    readonly attributes: ReadonlyMap<string, number>;
    readonly args: readonly Expression[];
  };

const TOKEN = /\s*(-?\d+(?:\.\d+)?(?:e-?\d+)?|[A-Za-z_]\w*|[(){},=])/y;

/**
 * Parses an expression.
 *
 * @param parts Expressions by the name of a part; none of them may hold itself.
 * @throws {SyntaxError} for what isn't one, saying where.
 *
 * @example Operator and arguments
 * ```ts
 * import { parseExpression } from "./expression.ts";
 * import assert from "node:assert/strict";
 *
 * const form = parseExpression("Mul(x, HardSigmoid{alpha=0.2}(x))");
 * assert.equal(form.kind === "node" && form.args.length, 2);
 * ```
 */
export function parseExpression(
  text: string,
  parts: Readonly<Record<string, readonly string[]>> = {},
): Expression {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  for (let end = 0; end < text.trimEnd().length; end = TOKEN.lastIndex) {
    const match = TOKEN.exec(text);
    if (match === null) throw new SyntaxError(`${JSON.stringify(text)}: unexpected at ${end}`);
    tokens.push(match[1]);
  }
  let position = 0;
  const take = (wanted?: string): string => {
    const token = tokens[position++];
    if (token === undefined || (wanted !== undefined && token !== wanted)) {
      throw new SyntaxError(
        `${JSON.stringify(text)}: wanted ${wanted ?? "more"}, found ${token ?? "the end"}`,
      );
    }
    return token;
  };
  const list = <T>(item: () => T, close: string): T[] => {
    const items = [item()];
    while (tokens[position] === ",") {
      take();
      items.push(item());
    }
    take(close);
    return items;
  };
  const attribute = (): [string, number] => {
    const name = take();
    take("=");
    return [name, Number(take())];
  };
  const expression = (): Expression => {
    const token = take();
    if (token === "x") return { kind: "input" };
    if (token === "c") return { kind: "constant" };
    if (token === "s") return { kind: "shape" };
    if (/^[-\d]/.test(token)) return { kind: "constant", value: Number(token) };
    if (Object.hasOwn(parts, token)) return parsePart(token, parts);
    let attributes: [string, number][] = [];
    if (tokens[position] === "{") {
      take();
      attributes = list(attribute, "}");
    }
    take("(");
    return {
      kind: "node",
      op: token,
      attributes: new Map(attributes),
      args: list(expression, ")"),
    };
  };
  const result = expression();
  if (position < tokens.length) {
    throw new SyntaxError(`${JSON.stringify(text)}: ${tokens[position]} after the end`);
  }
  return result;
}

/** Parts that have been parsed: each once, since they stand in each other many times over. */
const PARSED = new WeakMap<object, Map<string, Expression>>();

function parsePart(part: string, parts: Readonly<Record<string, readonly string[]>>): Expression {
  const known = PARSED.get(parts) ?? new Map<string, Expression>();
  PARSED.set(parts, known);
  const found = known.get(part);
  if (found !== undefined) return found;
  const options = parts[part].map((option) => parseExpression(option, parts));
  const choice: Expression = { kind: "choice", part, options };
  known.set(part, choice);
  return choice;
}
