/**
 * Settings of a server from its environment: `PLIMSOLL_TOKEN`, and each limit by its name, as
 * `PLIMSOLL_MAX_BODY_BYTES`.
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";
import type { HandlerOptions } from "./handler.ts";
import { DEFAULT_LIMITS, type Limits } from "./limits.ts";

/** Name of the variable that sets a limit. */
export function limitVariable(limit: keyof Limits): string {
  return `PLIMSOLL_${limit.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}

/**
 * Reads settings.
 *
 * @param get Value of a variable; undefined when it isn't set.
 * @throws {PlimsollError} kind `usage` for a limit that is no number, or below its least sensible value.
 *
 * @example A token and one limit
 * ```ts
 * import { settingsFrom } from "./settings.ts";
 * import assert from "node:assert/strict";
 *
 * const variables: Record<string, string> = { PLIMSOLL_TOKEN: "secret", PLIMSOLL_MAX_ACTIVE: "1" };
 * const { token, limits } = settingsFrom((name) => variables[name]);
 * assert.equal(token, "secret");
 * assert.deepEqual(limits, { maxActive: 1 });
 * ```
 */
export function settingsFrom(get: (name: string) => string | undefined): HandlerOptions {
  const limits: Partial<Record<keyof Limits, number>> = {};
  for (const limit of Object.keys(DEFAULT_LIMITS) as (keyof Limits)[]) {
    const name = limitVariable(limit);
    const text = get(name);
    if (text === undefined || text === "") continue;
    const least = limit === "maxWaiting" ? 0 : 1;
    const value = Number(text);
    if (!Number.isFinite(value) || value < least) {
      throw new PlimsollError("usage", {
        action: `reading the variable ${name}`,
        wanted: `a number of at least ${least}`,
        found: JSON.stringify(text),
        remedy: "Correct it, or leave it out",
      });
    }
    limits[limit] = value;
  }
  const token = get("PLIMSOLL_TOKEN");
  // An empty token would let everybody in who sends none.
  return { limits, ...(token === undefined || token === "" ? {} : { token }) };
}
