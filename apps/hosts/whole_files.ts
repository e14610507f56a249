/**
 * Files that are whole or not there, on any file system.
 *
 * @module
 */
import type { FileContent } from "../../core/host.ts";
import { parent, throwUnwritable } from "./failures.ts";
import type { ReadableFolders } from "./list_files.ts";

/** As much of a file system as writing takes; everything rejects with the host's own errors. */
export interface WritableFolders extends Pick<ReadableFolders, "entries" | "info"> {
  /** Whether something is there. */
  exists(path: string): Promise<boolean>;
  makeFolder(path: string): Promise<void>;
  /** Removes a folder that is empty. */
  removeFolder(path: string): Promise<void>;
  /** Writes a file that must not be there yet, and holds it until it is closed: its writer lives. */
  writeNew(path: string, pieces: readonly Uint8Array[]): Promise<HeldFile>;
  rename(from: string, to: string): Promise<void>;
  removeFile(path: string): Promise<void>;
  /** What this process puts into the names of its partial files. */
  readonly mark: string;
  /** Whether the writer of a partial file is gone; false where nobody knows, as of another host's. */
  isOrphan(path: string, mark: string): Promise<boolean>;
}

/** A file that was written and is held. */
export interface HeldFile {
  close(): Promise<void> | void;
}

/** Files that say what the others of their set are: they change last. */
const LAST = ["manifest.json", "comparison.json"];

/** See `Host.writeFiles`. */
export async function writeWhole(
  system: WritableFolders,
  files: ReadonlyMap<string, FileContent>,
): Promise<void> {
  for (const path of files.keys()) await checkTarget(system, path);
  for (const folder of new Set([...files.keys()].map(parent))) await removeOrphans(system, folder);
  const partials = new Map<string, string>();
  const held: HeldFile[] = [];
  const made: string[] = [];
  try {
    for (const [path, content] of files) {
      made.push(...await makeFolders(system, path));
      const partial = partialOf(system, path);
      partials.set(partial, path);
      const write = () => system.writeNew(partial, piecesOf(content));
      held.push(
        await write().catch(async (cause) => {
          // Somebody else may have found the folder empty in between, and removed it.
          const again = await makeFolders(system, path);
          if (again.length === 0) return throwUnwritable(path, cause);
          made.push(...again);
          return await write().catch((cause) => throwUnwritable(path, cause));
        }),
      );
    }
    const turn = ([, path]: [string, string]) => LAST.indexOf(nameOf(path));
    for (const [partial, path] of [...partials].sort((a, b) => turn(a) - turn(b))) {
      await system.rename(partial, path).catch((cause) => throwUnwritable(path, cause));
      partials.delete(partial);
    }
  } catch (error) {
    for (const partial of partials.keys()) await system.removeFile(partial).catch(() => {});
    await removeFolders(system, made);
    throw error;
  } finally {
    for (const file of held) await file.close();
  }
}

/** See `Host.checkWritable`. Removes what earlier runs left behind that were killed while they wrote. */
export async function checkWhole(system: WritableFolders, path: string): Promise<void> {
  await checkTarget(system, path);
  const probe = partialOf(system, path);
  const made = await makeFolders(system, path);
  try {
    await (await system.writeNew(probe, [])).close();
    await system.removeFile(probe);
    await removeOrphans(system, parent(path));
  } catch (cause) {
    throwUnwritable(path, cause);
  } finally {
    await removeFolders(system, made);
  }
}

/** See `Host.removeFiles`. */
export async function removeBelow(
  system: WritableFolders,
  folder: string,
  paths: readonly string[],
): Promise<void> {
  for (const path of paths) await system.removeFile(`${folder}/${path}`).catch(() => {});
  const above = new Set(
    paths.flatMap((path) =>
      [...path.matchAll(/[/\\]/g)].map(({ index }) => `${folder}/${path.slice(0, index)}`)
    ),
  );
  const outermostFirst = [...above].sort((a, b) => a.length - b.length);
  await removeFolders(system, outermostFirst);
}

/** Refuses a path that no file can be renamed to, before anything else changes. */
async function checkTarget(system: WritableFolders, path: string): Promise<void> {
  const info = await system.info(path).catch(() => undefined);
  if (info?.isDirectory) throwUnwritable(path, new Error("a folder of that name"));
}

/** Partial files of runs that are gone, by their names: `NAME.MARK-UUID.partial`. */
async function removeOrphans(system: WritableFolders, folder: string): Promise<void> {
  const entries = await system.entries(folder).catch(() => []);
  for (const { name, isDirectory } of entries) {
    const mark = isDirectory ? undefined : PARTIAL.exec(name)?.[1];
    const path = `${folder}/${name}`;
    if (mark === undefined || !await system.isOrphan(path, mark).catch(() => false)) continue;
    await system.removeFile(path).catch(() => {});
  }
}

const PARTIAL = /\.([a-z]+\d*)-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.partial$/;

function partialOf({ mark }: WritableFolders, path: string): string {
  return `${path}.${mark}-${crypto.randomUUID()}.partial`;
}

function nameOf(path: string): string {
  return path.split(/[/\\]/).at(-1)!;
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
  const made: string[] = [];
  for (const name of missing) {
    try {
      await system.makeFolder(name);
      made.push(name);
    } catch (cause) {
      // Somebody else may have made it in between.
      if (!await system.exists(name)) throwUnwritable(path, cause);
    }
  }
  return made;
}

/** Removes folders that were made for nothing, as far as they are empty. */
async function removeFolders(system: WritableFolders, folders: readonly string[]): Promise<void> {
  for (const folder of folders.toReversed()) await system.removeFolder(folder).catch(() => {});
}
