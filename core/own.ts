/**
 * Tables that are asked for names from outside.
 *
 * @module
 */

/** The entry of a table under a name; undefined for what every object inherits, as `constructor`. */
export function own<T>(table: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}
