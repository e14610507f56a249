/**
 * JSON with one possible spelling for each value.
 *
 * @module
 */
import { configure } from "safe-stable-stringify";

const stringify = configure({ deterministic: true, circularValue: TypeError, strict: true });

/**
 * Serialises a plain value with sorted keys, two spaces of indentation, shortest round-trip numbers
 * (ECMA-262 Number::toString) and a newline at the end: equal values give equal bytes.
 *
 * @throws {Error} for what JSON can't hold: NaN, infinities, BigInt, functions.
 *
 * @example
 * ```ts
 * import { canonicalJson } from "./canonical_json.ts";
 * import assert from "node:assert/strict";
 *
 * assert.equal(canonicalJson({ b: 1, a: 0.1 }), '{\n  "a": 0.1,\n  "b": 1\n}\n');
 * ```
 */
export function canonicalJson(value: unknown): string {
  return stringify(value, null, 2) + "\n";
}

/** The same value without any white space, for headers of binary files and for hashes. */
export function compactJson(value: unknown): string {
  return stringify(value)!;
}
