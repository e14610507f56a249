/**
 * A promise with its handles outside: `Promise.withResolvers`, which Node 20 lacks.
 *
 * @module
 */

/** A promise and what settles it. */
export interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T | PromiseLike<T>) => void;
  readonly reject: (reason: unknown) => void;
}

/** A promise that somebody else settles. */
export function deferred<T>(): Deferred<T> {
  let handles: Omit<Deferred<T>, "promise"> | undefined;
  const promise = new Promise<T>((resolve, reject) => void (handles = { resolve, reject }));
  return { promise, ...handles! };
}
