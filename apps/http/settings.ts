/**
 * Settings of a server from its environment: `PLIMSOLL_TOKEN`, `PLIMSOLL_HOSTS`, `PLIMSOLL_ORIGINS`, and each limit by its
 * name, as `PLIMSOLL_MAX_BODY_BYTES`.
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";
import type { HandlerOptions } from "./handler.ts";
import type { ObserveOptions } from "./observe.ts";
import { DEFAULT_LIMITS, type Limits } from "./limits.ts";

/** Name of the variable that sets a limit. */
export function limitVariable(limit: keyof Limits): string {
  return `PLIMSOLL_${limit.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}

/**
 * Reads settings.
 *
 * @param get Value of a variable; undefined when it isn't set.
 * @throws {PlimsollError} kind `usage` for a limit that is no number, or below its least sensible value, and for
 * what is no origin.
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
    const least = limit === "maxWaiting" || limit === "maxShutdownSeconds" ? 0 : 1;
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
  const hosts = listOf(get("PLIMSOLL_HOSTS")).map((name) => name.toLowerCase());
  const origins = listOf(get("PLIMSOLL_ORIGINS"));
  for (const origin of origins) checkIsOrigin(origin);
  return { limits, hosts, origins, ...(token === undefined || token === "" ? {} : { token }) };
}

/**
 * Settings of a server of its own process: those of {@linkcode settingsFrom}, and a log of JSON lines unless `PLIMSOLL_LOG`
 * is `none`.
 *
 * @param write Writes a line of the log.
 * @param listensOn The name that it was told to listen on, if any, by which it answers as well.
 * @throws {PlimsollError} kind `usage`.
 */
export function serverSettings(
  get: (name: string) => string | undefined,
  write: (line: string) => void,
  listensOn?: string,
): HandlerOptions & Pick<ObserveOptions, "onLog"> {
  const settings = settingsFrom(get);
  const log = get("PLIMSOLL_LOG") || "json";
  if (log !== "json" && log !== "none") {
    throw new PlimsollError("usage", {
      action: "reading the variable PLIMSOLL_LOG",
      wanted: "json or none",
      found: JSON.stringify(log),
      remedy: "Correct it, or leave it out",
    });
  }
  return {
    ...settings,
    hosts: [...settings.hosts ?? [], ...(listensOn === undefined ? [] : [listensOn.toLowerCase()])],
    ...(log === "json" ? { onLog: (entry) => write(`${JSON.stringify(entry)}\n`) } : {}),
  };
}

/** Things with commas between them. */
function listOf(text = ""): string[] {
  return text.split(",").map((part) => part.trim()).filter((part) => part !== "");
}

function checkIsOrigin(text: string): void {
  if (text === "*" || URL.canParse(text) && new URL(text).origin === text) return;
  throw new PlimsollError("usage", {
    action: "reading the variable PLIMSOLL_ORIGINS",
    wanted: "origins as https://example.org, with commas between them, or *",
    found: JSON.stringify(text),
    remedy: "Write scheme, name and port as browsers do, and no slash behind them",
  });
}
