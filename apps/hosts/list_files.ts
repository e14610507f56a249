/**
 * All files below a folder, on any file system.
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";
import type { FileEntry } from "../../core/host.ts";

/** As much of a file system as listing takes; everything rejects with the host's own errors. */
export interface ReadableFolders {
  /** What lies in a folder. */
  entries(folder: string): Promise<readonly FolderEntry[]>;
  /** What a path leads to, through links; rejects where that is nothing. */
  info(path: string): Promise<{ readonly isDirectory: boolean; readonly size: number }>;
  /** The path without links. */
  realPath(path: string): Promise<string>;
  /** Throws that a folder can't be read. */
  unreadable(folder: string, cause: unknown): never;
}

/** One entry of a folder, itself rather than what it leads to. */
export interface FolderEntry {
  readonly name: string;
  readonly isDirectory: boolean;
  readonly isSymlink: boolean;
}

/** See `Host.listFiles`. */
export async function listBelow(
  system: ReadableFolders,
  path: string,
): Promise<FileEntry[] | undefined> {
  const info = await system.info(path).catch(() => undefined);
  if (!info?.isDirectory) return undefined;
  const files: FileEntry[] = [];
  await addFiles(system, { folder: path, prefix: "", above: [await system.realPath(path)] }, files);
  return files;
}

/** Adds the files of a folder and of those below; a link to a folder that it lies in is left out. */
async function addFiles(
  system: ReadableFolders,
  { folder, prefix, above }: {
    readonly folder: string;
    readonly prefix: string;
    readonly above: readonly string[];
  },
  files: FileEntry[],
): Promise<void> {
  try {
    for (const { name, isDirectory, isSymlink } of await system.entries(folder)) {
      const path = `${folder}/${name}`;
      // A link that leads nowhere is listed, so that opening it says so.
      const info = isDirectory ? undefined : await system.info(path).catch(() => undefined);
      if (isDirectory || info?.isDirectory) {
        const real = isSymlink ? await system.realPath(path) : `${above.at(-1)}/${name}`;
        if (!above.includes(real)) {
          const below = { folder: path, prefix: `${prefix}${name}/`, above: [...above, real] };
          await addFiles(system, below, files);
        }
      } else files.push({ path: prefix + name, byteLength: info?.size ?? 0 });
    }
  } catch (cause) {
    if (cause instanceof PlimsollError) throw cause;
    system.unreadable(folder, cause);
  }
}
