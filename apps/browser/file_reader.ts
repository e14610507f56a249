/**
 * Files that the user picked, to read from.
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";
import type { FileEntry, Reader } from "../../core/host.ts";
import type { PickedFile } from "./messages.ts";

/**
 * Reads the given files by their paths. It has no network and no standard input.
 *
 * @param files Paths as the pipeline will ask for them, with the folder in front.
 */
export function fileReader(files: readonly PickedFile[]): Reader {
  const byPath = new Map(files.map(({ path, file }) => [path, file]));
  const find = (path: string): Blob => {
    const file = byPath.get(path);
    if (file !== undefined) return file;
    throw failure(
      `reading ${JSON.stringify(path)}`,
      "a file that was picked",
      "none of that name",
      {
        remedy: "Pick it together with the others",
      },
    );
  };
  return {
    readFile: async (path) => new Uint8Array(await readBlob(find(path), path)),
    openFile: (path) =>
      Promise.resolve(find(path).stream() as ReadableStream<Uint8Array<ArrayBuffer>>),
    readRange: async (path, offset, length) => {
      const file = find(path);
      if (offset + length > file.size) {
        const wanted = `bytes ${offset} to ${offset + length}`;
        throw failure(`reading ${JSON.stringify(path)}`, wanted, `${file.size} bytes`, {
          remedy: "Pick the file that belongs to the model",
        });
      }
      return new Uint8Array(await readBlob(file.slice(offset, offset + length), path));
    },
    fileExists: (path) => Promise.resolve(byPath.has(path)),
    fileSize: (path) => Promise.resolve(byPath.get(path)?.size),
    listFiles: (path) => Promise.resolve(list(byPath, path)),
    fetch: (url) => Promise.reject(refused(`fetching ${url}`)),
    openInput: () => {
      throw refused("reading standard input");
    },
  };
}

function list(files: ReadonlyMap<string, Blob>, folder: string): FileEntry[] | undefined {
  const entries = [...files].filter(([path]) => path.startsWith(`${folder}/`))
    .map(([path, { size }]) => ({ path: path.slice(folder.length + 1), byteLength: size }));
  return entries.length === 0 ? undefined : entries;
}

/** A file that was picked may be gone, or changed, by the time that it is read. */
async function readBlob(blob: Blob, path: string): Promise<ArrayBuffer> {
  try {
    return await blob.arrayBuffer();
  } catch (cause) {
    throw failure(`reading ${JSON.stringify(path)}`, "its bytes", (cause as Error).message, {
      remedy: "Pick the file again: it may have changed since",
      cause,
    });
  }
}

function failure(
  action: string,
  wanted: string,
  found: string,
  rest: { readonly remedy: string; readonly cause?: unknown },
): PlimsollError {
  return new PlimsollError("input", { action, wanted, found, ...rest });
}

function refused(action: string): PlimsollError {
  return failure(action, "files that were picked", "a page that asks nobody else", {
    remedy: "Use the command line for that",
  });
}
