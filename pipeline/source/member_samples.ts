/**
 * Files of a folder or archive as samples.
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";
import { option } from "../../core/option_words.ts";
import { parseJson } from "../../core/parse_json.ts";
import type { RawSample } from "../../core/tensor.ts";
import { isImageName, isRawName } from "./format.ts";
import { classIndex, labelOf, type LabelSource } from "./labels.ts";
import { floatsOf } from "./raw.ts";
import type { Selection } from "./sample_source.ts";

/** A file in a folder or archive. */
export interface Member {
  /** Its path in there, with `/`. Never used for writing, nor for reading anything else. */
  readonly path: string;
  /** Size in bytes, as the container says. */
  readonly byteLength: number;
  /** Its content. To be called at most once, before the next member is asked for. */
  read(): Promise<Uint8Array>;
}

/** How members become samples. */
export interface MemberOptions {
  /** How messages call folder or archive. */
  readonly name: string;
  readonly selection: Selection;
  readonly labels: LabelSource;
  /** Shape of raw float32 members; without it they are no samples. */
  readonly inputShape?: readonly number[];
  /** Class of a member by the folder that it lies in. */
  readonly folderClass?: (path: string) => number | undefined;
  /** Told which members were no samples. */
  readonly onNote?: (text: string) => void;
}

/** Most bytes of a member, so that an archive can't fill the memory. */
export const MAX_MEMBER_BYTES = 2 ** 28;
const MAX_LABEL_BYTES = 2 ** 20;

/** Whether a member is a sample: an image, or raw values of the given shape. */
export function isSampleName(path: string, inputShape: readonly number[] | undefined): boolean {
  return !isHidden(path) && (isImageName(path) || inputShape !== undefined && isRawName(path));
}

/**
 * Every image is a sample. Neighbours with the same path up to the first dot of the file name belong
 * together (WebDataset): `x.cls`, a class index, or `x.json`, an object with `label` or `cls`,
 * labels `x.jpg`. Holds one member.
 *
 * @throws {PlimsollError} kind `input` or `data`, from the generator.
 */
export async function* memberSamples(
  members: AsyncIterable<Member>,
  { name, selection, labels, inputShape, folderClass, onNote }: MemberOptions,
): AsyncGenerator<RawSample> {
  let index = -1;
  let pending: Omit<RawSample, "label"> & { path: string } | undefined;
  let group: { key: string; label?: number; error?: PlimsollError } = { key: "" };
  /** Whether the member at hand was reported already. */
  let isReported = false;
  const ignored = new Map<string, number>();
  const report = (error: PlimsollError) => {
    isReported = true;
    selection.onBroken(error);
  };
  const finish = (): RawSample[] => {
    if (pending === undefined) return [];
    const { path, ...sample } = pending;
    pending = undefined;
    // Without the label that it should have, it is no sample.
    if (group.error !== undefined) return report(group.error), [];
    const label = labelOf(labels, path, sample.index) ?? group.label ?? folderClass?.(path);
    return [label === undefined ? sample : { ...sample, label }];
  };

  const iterator = members[Symbol.asyncIterator]();
  try {
    while (true) {
      let member: Member;
      try {
        const next = await iterator.next();
        if (next.done) break;
        member = next.value;
      } catch (error) {
        if (!(error instanceof PlimsollError)) throw error;
        yield* finish();
        // A container that ends in the middle of a member was reported with it.
        if (!isReported) report(error);
        break;
      }
      isReported = false;
      const { path } = member;
      if (path.endsWith("/") || isHidden(path)) continue;
      const key = keyOf(path);
      if (key !== group.key) {
        yield* finish();
        group = { key };
      }
      if (isSampleName(path, inputShape)) {
        yield* finish();
        index++;
        if (selection.isPast(index)) break;
        if (!selection.has(index)) continue;
        try {
          const bytes = await readMember(member);
          const content = isImageName(path)
            ? { encoded: bytes }
            : { input: floatsOf(bytes, inputShape!, path) };
          pending = { index, id: `${name}/${path}`, path, ...content };
        } catch (error) {
          report(named(error, name, path));
        }
      } else if (/\.(cls|json)$/i.test(path) && path.lastIndexOf(".") === key.length) {
        try {
          group.label = await readLabel(member, labels.classes);
        } catch (error) {
          // It matters only when an image comes with it.
          group.error = named(error, name, path);
        }
      } else {
        const extension = /\.[^./]*$/.exec(path)?.[0].toLowerCase() ?? "no extension";
        ignored.set(extension, (ignored.get(extension) ?? 0) + 1);
      }
    }
    yield* finish();
    if (ignored.size > 0) {
      const list = Array.from(ignored, ([extension, count]) => `${count} × ${extension}`);
      onNote?.(`ignored files in ${JSON.stringify(name)} that are no images: ${list.join(", ")}`);
    }
    if (index < 0) {
      throw new PlimsollError("input", {
        action: `opening ${JSON.stringify(name)}`,
        wanted: "images: jpg, png, webp, gif, bmp",
        found: ignored.size === 0 ? "no files" : "other files only",
        remedy: `Give a folder or archive with images, raw values with ${option("inputShape")}`,
      });
    }
  } finally {
    await iterator.return?.();
  }
}

/** Where a member is broken: in which container, at which member. */
function named(error: unknown, name: string, path: string): PlimsollError {
  if (!(error instanceof PlimsollError)) throw error;
  const action = `reading ${JSON.stringify(path)} in ${JSON.stringify(name)}`;
  return new PlimsollError(error.kind, { ...error.parts, action });
}

async function readMember(member: Member): Promise<Uint8Array> {
  if (member.byteLength > MAX_MEMBER_BYTES) throw tooLarge(member.path, member.byteLength);
  return await member.read();
}

/** The error about a member that is larger than {@linkcode MAX_MEMBER_BYTES}. */
export function tooLarge(path: string, byteLength: number | string): PlimsollError {
  return new PlimsollError("input", {
    action: `reading ${JSON.stringify(path)}`,
    wanted: `at most ${MAX_MEMBER_BYTES / 2 ** 20} MiB in one file of an archive`,
    found: `${byteLength} bytes`,
    remedy: "Leave that file out",
  });
}

async function readLabel(
  member: Member,
  classes: readonly string[] | undefined,
): Promise<number | undefined> {
  const { path } = member;
  if (member.byteLength > MAX_LABEL_BYTES) throw tooLarge(path, member.byteLength);
  const text = new TextDecoder().decode(await member.read());
  if (/\.cls$/i.test(path)) return classIndex(text.trim(), classes, path);
  const value = parseJson(text, path);
  const { label, cls, class_id, target } = Object(value) as Record<string, unknown>;
  const found = label ?? cls ?? class_id ?? target ??
    (typeof value === "number" ? value : undefined);
  if (typeof found !== "string" && typeof found !== "number") return undefined;
  return classIndex(found, classes, path);
}

/** What the files of one sample have in common: the path up to the first dot of the file name. */
function keyOf(path: string): string {
  const start = path.lastIndexOf("/") + 1;
  const dot = path.indexOf(".", start);
  return dot < 0 ? path : path.slice(0, dot);
}

/** Files that systems leave behind: `.DS_Store`, `__MACOSX/…`, `._x.jpg`. */
function isHidden(path: string): boolean {
  return path.split("/").some((part) => /^(\.(?!\.?$)|__MACOSX$)/.test(part));
}

/**
 * Classes by the first folder of each path, sorted by name, as torchvision's ImageFolder numbers
 * them; with a list of classes, the innermost folder that is in it.
 *
 * @param paths Of all samples, when known.
 * @returns No function when the folders are no classes: fewer than two, or samples outside of them.
 */
export function folderClasses(
  paths: Iterable<string> | undefined,
  classes: readonly string[] | undefined,
): { classes?: readonly string[]; folderClass?: (path: string) => number | undefined } {
  if (classes !== undefined) {
    const indices = new Map(classes.map((name, index) => [name, index]));
    const folderClass = (path: string) => {
      const folder = path.split("/").slice(0, -1).findLast((part) => indices.has(part));
      return folder === undefined ? undefined : indices.get(folder);
    };
    for (const path of paths ?? []) {
      if (folderClass(path) === undefined) return { classes };
    }
    return { classes, folderClass };
  }
  const tops = new Set<string>();
  let shared: string | undefined;
  const folders = new Set<string>();
  for (const path of paths ?? []) folders.add(path.slice(0, path.lastIndexOf("/") + 1));
  for (const folder of folders) shared = shared === undefined ? folder : common(shared, folder);
  const start = shared?.length ?? 0;
  // A sample that lies in the folder that all share has no class.
  if (folders.has(shared ?? "")) return {};
  for (const folder of folders) tops.add(folder.slice(start).split("/")[0]);
  if (tops.size < 2) return {};
  const names = [...tops].sort();
  const indices = new Map(names.map((name, index) => [name, index]));
  return { classes: names, folderClass: (path) => indices.get(path.slice(start).split("/")[0]) };
}

/** The folders that two folders begin with. */
function common(a: string, b: string): string {
  let end = 0;
  for (let i = 0; i < Math.min(a.length, b.length) && a[i] === b[i]; i++) {
    if (a[i] === "/") end = i + 1;
  }
  return a.slice(0, end);
}
