/**
 * Files that are whole or not there, on any file system.
 *
 * @module
 */
import type { FileContent } from "../../core/host.ts";
import { parent, throwUnwritable } from "./failures.ts";

/** As much of a file system as writing takes; everything rejects with the host's own errors. */
export interface WritableFolders {
  /** Whether something is there. */
  exists(path: string): Promise<boolean>;
  makeFolder(path: string): Promise<void>;
  /** Removes a folder that is empty. */
  removeFolder(path: string): Promise<void>;
  /** Writes a file that must not be there yet. */
  writeNew(path: string, pieces: readonly Uint8Array[]): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  removeFile(path: string): Promise<void>;
}

/** See `Host.writeFiles`. */
export async function writeWhole(
  system: WritableFolders,
  files: ReadonlyMap<string, FileContent>,
): Promise<void> {
  const partials = new Map<string, string>();
  const made: string[] = [];
  try {
    for (const [path, content] of files) {
      made.push(...await makeFolders(system, path));
      const partial = partialOf(path);
      partials.set(partial, path);
      await system.writeNew(partial, piecesOf(content))
        .catch((cause) => throwUnwritable(path, cause));
    }
    for (const [partial, path] of partials) {
      await system.rename(partial, path).catch((cause) => throwUnwritable(path, cause));
      partials.delete(partial);
    }
  } catch (error) {
    for (const partial of partials.keys()) await system.removeFile(partial).catch(() => {});
    await removeFolders(system, made);
    throw error;
  }
}

/** See `Host.checkWritable`. */
export async function checkWhole(system: WritableFolders, path: string): Promise<void> {
  const probe = partialOf(path);
  const made = await makeFolders(system, path);
  try {
    await system.writeNew(probe, []);
    await system.removeFile(probe);
  } catch (cause) {
    throwUnwritable(path, cause);
  } finally {
    await removeFolders(system, made);
  }
}

function partialOf(path: string): string {
  return `${path}.${crypto.randomUUID()}.partial`;
}

function piecesOf(content: FileContent): readonly Uint8Array[] {
  if (typeof content === "string") return [new TextEncoder().encode(content)];
  return content instanceof Uint8Array ? [content] : content;
}

/** Makes the folder of a file and those above it; returns the new ones, outermost first. */
async function makeFolders(system: WritableFolders, path: string): Promise<string[]> {
  const missing: string[] = [];
  for (let at = parent(path); at !== parent(at); at = parent(at)) {
    if (await system.exists(at)) break;
    missing.unshift(at);
  }
  for (const name of missing) {
    await system.makeFolder(name).catch((cause) => throwUnwritable(path, cause));
  }
  return missing;
}

/** Removes folders that were made for nothing, as far as they are empty. */
async function removeFolders(system: WritableFolders, folders: readonly string[]): Promise<void> {
  for (const folder of folders.toReversed()) await system.removeFolder(folder).catch(() => {});
}
