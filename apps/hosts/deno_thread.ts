/**
 * What threads of the command line under Deno have in common: they listen from the first moment on, load their code, and
 * use the runtime that their name says.
 *
 * @module
 */
import { dropNullLocation } from "../../core/worker_location.ts";

/**
 * Answers messages of the thread that started this one; to be called once, at the top of an entry.
 *
 * @param load Loads the code: takes what sends a message, and gives what takes one.
 */
export function runThread<To, From>(
  load: (post: (message: From) => void) => Promise<(message: To) => void>,
): void {
  /** As much of the worker's global scope as is needed. */
  const scope = globalThis as unknown as {
    readonly name: string;
    onmessage: (event: MessageEvent<To>) => void;
    postMessage(message: From): void;
  };
  dropNullLocation();
  const ready = loadAll();
  scope.onmessage = async ({ data }) => (await ready)(data);

  async function loadAll(): Promise<(message: To) => void> {
    if (scope.name === "native") await (await import("./deno_runtime.ts")).useNative();
    return await load((message) => scope.postMessage(message));
  }
}
