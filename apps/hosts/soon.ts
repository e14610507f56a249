/**
 * Waiting that ends.
 *
 * @module
 */

/** Time in which answers reach clients and connections close, in milliseconds. */
const SOON_MS = 250;

/** Waits for something that should be there at once, but no longer than a moment. */
export async function soon(what: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const moment = new Promise((resolve) => timer = setTimeout(resolve, SOON_MS));
  await Promise.race([what.catch(() => {}), moment]);
  clearTimeout(timer);
}
