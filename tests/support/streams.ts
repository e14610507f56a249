/** Doubles for streams: a source that counts, a sink that waits. */
import type { FileContent } from "../../core/host.ts";

/** A pull source of `items` that records how many were pulled and why it was cancelled. */
export function countingSource<T>(items: readonly T[]) {
  const record = { pulled: 0, cancelled: undefined as unknown, isCancelled: false };
  const stream = new ReadableStream<T>({
    pull: (controller) => {
      if (record.pulled === items.length) return controller.close();
      controller.enqueue(items[record.pulled++]);
    },
    cancel: (reason) => {
      record.isCancelled = true;
      record.cancelled = reason;
    },
  }, { highWaterMark: 0 });
  return { stream, record };
}

/** Lets all microtasks and timers that are due run. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setTimeout(resolve, 0));
}

/** A host on memory: files by path, what was printed and written. */
export function memoryHost(files: Record<string, Uint8Array | string> = {}) {
  const printed = { out: "", error: "" };
  const bytes = (path: string): Uint8Array<ArrayBuffer> => {
    const content = files[path];
    if (content === undefined) throw new Error(`no file ${path}`);
    return (typeof content === "string"
      ? new TextEncoder().encode(content)
      : content.slice()) as Uint8Array<ArrayBuffer>;
  };
  return {
    files,
    printed,
    // deno-lint-ignore require-await
    readFile: async (path: string) => bytes(path),
    openFile: (path: string) => {
      const { stream } = countingSource([bytes(path)]);
      return Promise.resolve(stream);
    },
    fileExists: (path: string) => Promise.resolve(files[path] !== undefined),
    fileSize: (path: string) =>
      Promise.resolve(files[path] === undefined ? undefined : bytes(path).length),
    listFiles: (path: string) => {
      const names = Object.keys(files).filter((name) => name.startsWith(`${path}/`));
      return Promise.resolve(
        names.length === 0 ? undefined : names.map((name) => ({
          path: name.slice(path.length + 1),
          byteLength: bytes(name).length,
        })),
      );
    },
    fetch: (url: string, init?: RequestInit) => fetch(url, init),
    openInput: () => countingSource([bytes("-")]).stream,
    readRange: (path: string, offset: number, length: number) =>
      Promise.resolve(bytes(path).slice(offset, offset + length)),
    writeFiles: (written: ReadonlyMap<string, FileContent>) => {
      for (const [path, content] of written) {
        files[path] = typeof content === "string" || content instanceof Uint8Array
          ? content
          : Uint8Array.from(content.flatMap((piece) => [...piece]));
      }
      return Promise.resolve();
    },
    checkWritable: () => Promise.resolve(),
    assetPath: (name: string) => name,
    print: (text: string) => void (printed.out += text),
    printError: (text: string) => void (printed.error += text),
    isTerminal: false,
  };
}
