/**
 * Which container some bytes are.
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";
import { option } from "../../core/option_words.ts";

/** How a container is told. */
interface Container {
  /** Endings of its files, gzip's taken off. */
  readonly ending: RegExp;
  /** Whether decompressed bytes begin as it does. */
  readonly begins: (head: Uint8Array) => boolean;
}

/**
 * The containers. A new one is a record here, and its reader among those of `open_samples.ts`, which the compiler asks
 * for.
 */
const CONTAINERS = {
  tar: {
    ending: /\.(tar|tgz)$/i,
    begins: (head) => text(head, 257, 5) === "ustar" || hasTarChecksum(head),
  },
  zip: { ending: /\.zip$/i, begins: (head) => isZip(head) && !isNpz(head) },
  npy: { ending: /\.npy$/i, begins: (head) => text(head, 0, 6) === "\x93NUMPY" },
  npz: { ending: /\.npz$/i, begins: isNpz },
  idx: { ending: /\.idx$|[-.]idx\d([-.]ubyte)?$/i, begins: isIdx },
  parquet: { ending: /\.parquet$/i, begins: (head) => text(head, 0, 4) === "PAR1" },
  ndjson: {
    ending: /\.(ndjson|jsonl)$/i,
    begins: (head) => /^(\xef\xbb\xbf)?\s*\{/.test(text(head, 0, 64)),
  },
  // Neither text nor raw values have a magic number.
  text: { ending: /\.txt$/i, begins: () => false },
  raw: { ending: /\.(raw|f32|bin|dat)$/i, begins: () => false },
} as const satisfies Readonly<Record<string, Container>>;

/** A format of data sets. */
export type Format = keyof typeof CONTAINERS;

/** Formats of data sets by name, as `--data-format` takes them. */
export const FORMATS = Object.keys(CONTAINERS) as readonly Format[];

/** What the first bytes say. */
type Magic = Format | "gzip" | "image";

const IMAGE = /\.(jpe?g|png|webp|gif|bmp)$/i;

/** Whether a file name is that of an image. */
export function isImageName(path: string): boolean {
  return IMAGE.test(path);
}

/** Whether a file name is that of raw float32 values. */
export function isRawName(path: string): boolean {
  return CONTAINERS.raw.ending.test(path);
}

/** What is known about some bytes. */
export interface FormatHints {
  /** How messages call them. */
  readonly name: string;
  /** Their path; compression by its ending `.gz` is looked through. */
  readonly path: string;
  /** The first bytes, decompressed. */
  readonly head: Uint8Array;
  /** What the user says they are. */
  readonly asked?: Format;
  /** Whether the user gave a shape for raw values. */
  readonly hasShape: boolean;
}

/**
 * The format that the user asked for, else the one that the name says, else the one that the first
 * bytes say.
 *
 * @throws {PlimsollError} kind `input` when bytes and name or wish contradict, or nothing says it.
 */
export function detectFormat({ name, path, head, asked, hasShape }: FormatHints): Format {
  const magic = magicOf(head);
  const named = FORMATS.find((format) =>
    CONTAINERS[format].ending.test(path.replace(/\.gz$/i, ""))
  );
  // Raw values have no magic number: whoever gives their shape means them. Records may be called text, too.
  const isOther = named === "raw" && !hasShape && magic !== undefined ||
    named === "text" && (magic === "ndjson" || !isText(head));
  const hinted = asked ?? (isOther ? undefined : named);
  const wish = hinted ?? (magic === undefined && hasShape ? "raw" : undefined);
  if (wish !== undefined && agrees(wish, magic)) return wish;
  if (wish === undefined && magic !== undefined && magic !== "gzip" && magic !== "image") {
    return magic;
  }
  throw new PlimsollError("input", {
    action: `opening ${JSON.stringify(name)}`,
    wanted: wish === undefined
      ? `a data set: a folder, or a ${FORMATS.join(", ")} file`
      : `${file(wish)}, as ${
        asked === undefined ? "its name says" : `${option("dataFormat")} says`
      }`,
    found: head.length === 0 ? "an empty file" : describe(magic, head),
    remedy: magic === "image"
      ? "Give the folder or archive that holds the images"
      : `Name the format with ${option("dataFormat")}, raw values with ${
        option("inputShape")
      }, too, or give another file`,
  });
}

function agrees(wish: Format, magic: Magic | undefined): boolean {
  if (wish === "raw" || wish === "text") return true;
  if (wish === "npz" || wish === "zip") return magic === "zip" || magic === "npz";
  return wish === magic;
}

function file(format: string): string {
  return `${/^[aein]/.test(format) ? "an" : "a"} ${format} file`;
}

function describe(magic: Magic | undefined, head: Uint8Array): string {
  if (magic === "image") return "an image";
  if (magic !== undefined) return file(magic);
  const hex = Array.from(head.subarray(0, 4), (byte) => byte.toString(16).padStart(2, "0"));
  return `a file that begins with ${hex.join(" ")}`;
}

/** Reads magic numbers. */
function magicOf(head: Uint8Array): Magic | undefined {
  if (head[0] === 0x1f && head[1] === 0x8b) return "gzip";
  return FORMATS.find((format) => CONTAINERS[format].begins(head)) ??
    (isImage(head) ? "image" : undefined);
}

function text(head: Uint8Array, at: number, length: number): string {
  return String.fromCharCode(...head.subarray(at, at + length));
}

/** Whether bytes have no control characters but those of lines and pages. */
function isText(head: Uint8Array): boolean {
  return head.every((byte) => byte >= 32 || byte >= 9 && byte <= 13);
}

function isImage(head: Uint8Array): boolean {
  return ["\xff\xd8\xff", "\x89PNG", "GIF8", "BM"].some((magic) =>
    text(head, 0, magic.length) === magic
  ) || text(head, 0, 4) === "RIFF" && text(head, 8, 4) === "WEBP";
}

function isZip(head: Uint8Array): boolean {
  return ["PK\x03\x04", "PK\x05\x06"].includes(text(head, 0, 4));
}

/** Whether the first file of a zip, whose name follows the 30 bytes of its header, is an array of NumPy. */
function isNpz(head: Uint8Array): boolean {
  return isZip(head) && text(head, 30, head[26] + 256 * head[27]).endsWith(".npy");
}

function isIdx([zero0, zero1, type, rank]: Uint8Array): boolean {
  return zero0 === 0 && zero1 === 0 && type >= 8 && type <= 14 && rank >= 1 && rank <= 4;
}

/** Archives from before POSIX have no magic number but the sum of their header's bytes. */
function hasTarChecksum(head: Uint8Array): boolean {
  if (head.length < 512 || head[0] === 0) return false;
  const stored = /^[ 0]*([0-7]+)[ \0]/.exec(String.fromCharCode(...head.subarray(148, 156)));
  let sum = 0;
  for (let i = 0; i < 512; i++) sum += i >= 148 && i < 156 ? 32 : head[i];
  return stored !== null && parseInt(stored[1], 8) === sum;
}
