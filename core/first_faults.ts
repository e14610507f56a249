/**
 * What a schema found wrong, for a message.
 *
 * @module
 */

/** As much of a schema's error as is told. */
interface SchemaError {
  readonly issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[];
}

/** Faults that are told of one file: the first ones say what kind it is. */
const MOST = 5;

/** The first faults with their paths, in one line. */
export function firstFaults({ issues }: SchemaError): string {
  return issues.slice(0, MOST)
    .map(({ path, message }) => `${path.join(".") || "top level"}: ${message}`)
    .join("; ");
}
