/** The folder of larger test data, which exists on development machines and in CI only. */

/** Path below ../shared, or undefined when it isn't there; tests are skipped then. */
export function sharedPath(name: string): string | undefined {
  const path = new URL(`../../../shared/${name}`, import.meta.url).pathname;
  try {
    Deno.statSync(path);
    return path;
  } catch {
    return undefined;
  }
}
