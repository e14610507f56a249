/**
 * The address that Deno gives a worker.
 *
 * @module
 */

/**
 * Takes it out of the global scope where it says nothing: under Deno location.origin is "null" in a worker, and onnxruntime-web
 * stumbles over it when imported. To be called before that, by entries of workers alone.
 */
export function dropNullLocation(): void {
  const scope = globalThis as { location?: { origin?: string } };
  if (scope.location?.origin === "null") Reflect.deleteProperty(scope, "location");
}
