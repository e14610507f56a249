/**
 * Files as people drop and pick them: models, folders, containers, single images.
 *
 * @module
 */
/// <reference lib="dom" />
import type { PickedFile, PickedSamples } from "../messages.ts";

/** What was recognised among files. */
export interface Picked {
  readonly model?: { readonly name: string; readonly file: File };
  /** Weights beside a model. */
  readonly beside: readonly PickedFile[];
  readonly samples?: PickedSamples;
  /** `preprocess.json` among or beside the samples. */
  readonly preprocess?: File;
}

const PREPROCESS = /(^|\/)preprocess\.json$/;
const WEIGHTS = /\.(data|bin|weights)$|\.onnx[._]data/i;

/** Sorts files by what they are for. */
export function recognise(files: readonly PickedFile[]): Picked {
  const model = files.find(({ path }) => /\.onnx$/i.test(path));
  const preprocess = files.find(({ path }) => PREPROCESS.test(path))?.file as File | undefined;
  const rest = files.filter((entry) => entry !== model && !PREPROCESS.test(entry.path));
  const beside = rest.filter(({ path }) => !path.includes("/") && WEIGHTS.test(path));
  const others = rest.filter((entry) => !beside.includes(entry));
  return {
    ...(model === undefined
      ? {}
      : { model: { name: nameOf(model.path), file: model.file as File } }),
    beside,
    ...(preprocess === undefined ? {} : { preprocess }),
    ...(others.length === 0 ? {} : { samples: samplesOf(others) }),
  };
}

function samplesOf(files: readonly PickedFile[]): PickedSamples {
  const [{ path }] = files;
  if (files.length === 1 && !path.includes("/")) return { name: path, isFolder: false, files };
  const root = path.includes("/") ? path.slice(0, path.indexOf("/") + 1) : "";
  if (root === "" || !files.every((entry) => entry.path.startsWith(root))) {
    return { name: `${files.length} files`, isFolder: true, files };
  }
  const inside = files.map(({ path, file }) => ({ path: path.slice(root.length), file }));
  return { name: root, isFolder: true, files: inside };
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** Files of an input element, with their folders where it picks folders. */
export function filesOf({ files }: HTMLInputElement): PickedFile[] {
  return [...files ?? []].map((file) => ({ path: file.webkitRelativePath || file.name, file }));
}

/** Everything that was dropped, folders with all that is in them. */
export async function droppedFiles({ items }: DataTransfer): Promise<PickedFile[]> {
  // Entries must be taken before anything is awaited: the list is emptied afterwards.
  const entries = [...items].map((item) => item.webkitGetAsEntry()).filter((entry) =>
    entry !== null
  );
  return (await Promise.all(entries.map((entry) => filesBelow(entry, "")))).flat();
}

async function filesBelow(entry: FileSystemEntry, folder: string): Promise<PickedFile[]> {
  const path = folder + entry.name;
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) =>
      (entry as FileSystemFileEntry).file(resolve, reject)
    );
    return [{ path, file }];
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const found: PickedFile[] = [];
  while (true) {
    // A reader gives up to 100 entries at a time, and none when there are no more.
    const entries = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject)
    );
    if (entries.length === 0) return found;
    found.push(
      ...(await Promise.all(entries.map((inner) => filesBelow(inner, `${path}/`)))).flat(),
    );
  }
}
