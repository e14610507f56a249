/**
 * Labels of samples: from a file, from names, from class folders.
 *
 * @module
 */
import { parseJsonText } from "../../core/parse_json.ts";
import { PlimsollError } from "../../core/errors.ts";
import { option } from "../../core/option_words.ts";

/** Where labels come from besides the container. */
export interface LabelSource {
  /** Parsed `--labels`. */
  readonly file?: LabelFile;
  /** `--label-pattern`: its first group is a class index. */
  readonly pattern?: RegExp;
  /** Names of the classes, in the order of their indices. */
  readonly classes?: readonly string[];
  /**
   * Told about a sample that file or pattern don't label; it stays unlabelled when this returns. By
   * default the error is thrown.
   */
  readonly onUnlabelled?: (error: PlimsollError) => void;
}

/** Characters of a line with a path and a label. */
const MAX_LINE = 2 ** 16;

/** Labels by path or by position. */
export interface LabelFile {
  /** How messages call it. */
  readonly name: string;
  /** Class index or class name by path; by position when the file names no paths. */
  readonly labels: ReadonlyMap<string, string | number> | readonly (string | number)[];
}

/**
 * Reads labels: CSV lines `path,label` with or without a header line, or one label a line; JSON
 * `{path: label}`, `[{"path": …, "label": …}]` or `[label, …]`. A label is a class index, or a class
 * name where the classes are known.
 *
 * @throws {PlimsollError} kind `input`.
 */
export function parseLabels(text: string, name: string): LabelFile {
  const fail = (found: string, cause?: unknown) =>
    new PlimsollError("input", {
      action: `reading labels ${JSON.stringify(name)}`,
      wanted: "CSV lines path,label or JSON {path: label}, [{path, label}] or [label]",
      found,
      remedy: "Correct the file",
      cause,
    });
  if (/^\s*[[{]/.test(text)) {
    let value: unknown;
    try {
      value = parseJsonText(text);
    } catch (cause) {
      throw fail((cause as Error).message, cause);
    }
    if (!Array.isArray(value)) return byPath(Object.entries(value as object));
    if (value.every(isLabel)) return { name, labels: value };
    return byPath(value.map((row) => {
      const { path, file, file_name, label } = Object(row) as Record<string, unknown>;
      return [(path ?? file ?? file_name) as string, label];
    }));
  }
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== "");
  // An expression that goes back over a longer one ends the stack.
  const long = lines.find(({ length }) => length > MAX_LINE);
  if (long !== undefined) throw fail(`a line of ${long.length} characters`);
  const rows = lines.map(splitCsv);
  if (rows.length === 0) throw fail("an empty file");
  const last = rows[0].at(-1)!;
  const isHeader = rows.length > 1 && !isIndex(last) && isIndex(rows[1].at(-1)!) ||
    /^(label|class|class_id|target|y)$/i.test(last);
  if (isHeader) rows.shift();
  const width = rows[0]?.length ?? 2;
  const odd = rows.find((row) => row.length !== width || row.length > 2);
  if (odd !== undefined) throw fail(`a line with ${odd.length} fields: ${odd.join(",")}`);
  if (width === 1) return { name, labels: rows.map(([label]) => label) };
  return byPath(rows as [string, string][]);

  function byPath(entries: (readonly [unknown, unknown])[]): LabelFile {
    const labels = new Map<string, string | number>();
    for (const [path, label] of entries) {
      if (typeof path !== "string" || !isLabel(label)) {
        throw fail(`an entry ${JSON.stringify([path, label])}`);
      }
      labels.set(path.replace(/^\.\//, ""), label);
    }
    return { name, labels };
  }
}

/**
 * Class index of a sample by name and position, from `--labels`, else `--label-pattern`.
 *
 * @param path Path inside of the data set; undefined where samples have none.
 * @returns Undefined when neither was given.
 * @throws {PlimsollError} kind `data` when one was given and says nonsense.
 */
export function labelOf(
  { file, pattern, classes, onUnlabelled = raise }: LabelSource,
  path: string | undefined,
  index: number,
): number | undefined {
  const what = path ?? `sample ${index}`;
  if (file !== undefined) {
    const label = file.labels instanceof Map
      ? file.labels.get(path ?? `${index}`) ?? file.labels.get(baseName(path ?? ""))
      : (file.labels as readonly (string | number)[])[index];
    if (label === undefined) {
      onUnlabelled(
        unlabelled(what, `a label in ${JSON.stringify(file.name)}`, "Complete the file"),
      );
      return undefined;
    }
    return classIndex(label, classes, what);
  }
  if (pattern === undefined) return undefined;
  const group = (pattern.exec(baseName(what)) ?? pattern.exec(what))?.[1];
  if (group === undefined) {
    onUnlabelled(unlabelled(
      what,
      `a name that ${option("labelPattern")} ${pattern.source} fits, with a group`,
      "Correct the pattern: its first group is the class index",
    ));
    return undefined;
  }
  return classIndex(group, classes, what);
}

/**
 * Class index that a label says: a number, or one of the classes' names.
 *
 * @throws {PlimsollError} kind `data` when it says none.
 */
export function classIndex(
  label: string | number,
  classes: readonly string[] | undefined,
  what: string,
): number {
  const named = typeof label === "string" ? classes?.indexOf(label.trim()) ?? -1 : -1;
  if (named >= 0) return named;
  if (isIndex(`${label}`)) return Number(label);
  throw new PlimsollError("data", {
    action: `reading the label of ${JSON.stringify(what)}`,
    wanted: `a class index${classes === undefined ? "" : " or the name of a class"}`,
    found: JSON.stringify(label),
    remedy: "Correct the labels, or name the classes in classes.txt, one a line",
  });
}

function raise(error: PlimsollError): never {
  throw error;
}

function unlabelled(what: string, wanted: string, remedy: string): PlimsollError {
  const found = "none";
  return new PlimsollError("data", {
    action: `reading the label of ${JSON.stringify(what)}`,
    wanted,
    found,
    remedy,
  });
}

function isLabel(value: unknown): value is string | number {
  return typeof value === "string" || Number.isSafeInteger(value) && value as number >= 0;
}

function isIndex(text: string): boolean {
  return /^\s*\d{1,15}\s*$/.test(text);
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** Fields of a CSV line; quotes are doubled inside of quotes. */
function splitCsv(line: string): string[] {
  const fields = line.matchAll(/(?:^|,)\s*(?:"((?:[^"]|"")*)"|([^,]*))/g);
  return Array.from(fields, ([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain.trim());
}
