/**
 * Settings for tensors and nodes by name.
 *
 * @module
 */
import type { Override, Target } from "../targets/target.ts";

/** What an override looks at. */
export interface Subject {
  /** Name of the activation tensor. */
  readonly tensor?: string;
  /** Name of the node that makes it, or reads the weights. */
  readonly node?: string;
  /** Operator of that node. */
  readonly operator?: string;
}

/**
 * The overrides of a target that fit one of some subjects, in their order: later ones count more. What runs as one
 * operator has several, one for each node in it.
 */
export function overridesFor(
  { overrides = [] }: Pick<Target, "overrides">,
  subjects: readonly Subject[],
): Override[] {
  return overrides.filter(({ match }) => subjects.some((subject) => fits(match, subject)));
}

function fits(match: Override["match"], subject: Subject): boolean {
  return Object.entries(match).every(([key, pattern]) => {
    const name = subject[key as keyof Subject];
    return name !== undefined && [pattern].flat().some((one) => matchesPattern(one, name));
  });
}

/** The last override that keeps one of some subjects float, with its weights in codes or not. */
export function exclusionOf(
  target: Pick<Target, "overrides">,
  subjects: readonly Subject[],
): Override | undefined {
  const last = overridesFor(target, subjects).findLast(({ quantize, compute }) =>
    quantize === false || compute === "float" || compute === "integer"
  );
  return last?.quantize === false || last?.compute === "float" ? last : undefined;
}

/** A pattern that fits one name and no other. */
export function exactly(name: string): string {
  if (!name.includes("*") && !isExpression(name)) return name;
  return `/^${name.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&")}$/`;
}

/** How messages and the manifest call an override. */
export function describeOverride({ match }: Override): string {
  return Object.entries(match).map(([key, pattern]) => `${key} ${[pattern].flat().join(" or ")}`)
    .join(", ");
}

/** A target without the overrides of a plan: what a calibration looks at, so that its statistics serve any plan. */
export function withoutPlan(target: Target): Target {
  const { overrides } = target;
  return overrides?.some(({ planned }) => planned)
    ? { ...target, overrides: overrides.filter(({ planned }) => !planned) }
    : target;
}

/** Why an override keeps something float. */
export function exclusionReason(override: Override): string {
  return override.reason ?? `left float by the override for ${describeOverride(override)}`;
}

/** Whether a pattern is a regular expression, which may take longer than anybody waits. */
export function isExpression(pattern: string): boolean {
  return pattern.length > 1 && pattern.startsWith("/") && pattern.endsWith("/");
}

/**
 * Whether a name fits a pattern: `*` stands for any characters, `/…/` is a regular expression, anything else is the
 * name itself.
 *
 * @throws {SyntaxError} for a broken regular expression.
 */
export function matchesPattern(pattern: string, name: string): boolean {
  if (isExpression(pattern)) {
    return new RegExp(pattern.slice(1, -1)).test(name);
  }
  const parts = pattern.split("*");
  if (parts.length === 1) return pattern === name;
  // Each part as early as possible, the last one at the end: no backtracking.
  let from = parts[0].length;
  if (!name.startsWith(parts[0])) return false;
  for (const part of parts.slice(1, -1)) {
    const at = name.indexOf(part, from);
    if (at < 0) return false;
    from = at + part.length;
  }
  const end = parts.at(-1)!;
  return name.length - end.length >= from && name.endsWith(end);
}
