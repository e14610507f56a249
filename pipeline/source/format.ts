/**
 * Which container some bytes are.
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";
import { option } from "../../core/option_words.ts";

/** Formats of data sets by name, as `--data-format` takes them. */
export const FORMATS = ["tar", "zip", "npy", "npz", "idx", "parquet", "ndjson", "raw"] as const;

/** A format of data sets. */
export type Format = (typeof FORMATS)[number];

/** What the first bytes say. */
type Magic = Exclude<Format, "raw"> | "gzip" | "image";

const EXTENSIONS: readonly (readonly [RegExp, Format])[] = [
  [/\.(tar|tgz)$/i, "tar"],
  [/\.zip$/i, "zip"],
  [/\.npy$/i, "npy"],
  [/\.npz$/i, "npz"],
  [/\.idx$|[-.]idx\d([-.]ubyte)?$/i, "idx"],
  [/\.parquet$/i, "parquet"],
  [/\.(ndjson|jsonl)$/i, "ndjson"],
  [/\.(raw|f32|bin|dat)$/i, "raw"],
];
const IMAGE = /\.(jpe?g|png|webp|gif|bmp)$/i;
const RAW = /\.(raw|f32|bin|dat)$/i;

/** Whether a file name is that of an image. */
export function isImageName(path: string): boolean {
  return IMAGE.test(path);
}

/** Whether a file name is that of raw float32 values. */
export function isRawName(path: string): boolean {
  return RAW.test(path);
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
  const named = EXTENSIONS.find(([pattern]) => pattern.test(path.replace(/\.gz$/i, "")))?.[1];
  // Raw values have no magic number: whoever gives their shape means them.
  const hinted = asked ?? (named === "raw" && !hasShape && magic !== undefined ? undefined : named);
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
  if (wish === "raw") return true;
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
  const text = (at: number, length: number) =>
    String.fromCharCode(...head.subarray(at, at + length));
  if (head[0] === 0x1f && head[1] === 0x8b) return "gzip";
  if (["PK\x03\x04", "PK\x05\x06"].includes(text(0, 4))) {
    // The name of the first file follows the 30 bytes of its header.
    return text(30, head[26] + 256 * head[27]).endsWith(".npy") ? "npz" : "zip";
  }
  if (text(0, 6) === "\x93NUMPY") return "npy";
  if (text(0, 4) === "PAR1") return "parquet";
  if (text(257, 5) === "ustar" || hasTarChecksum(head)) return "tar";
  const [zero0, zero1, type, rank] = head;
  if (zero0 === 0 && zero1 === 0 && type >= 8 && type <= 14 && rank >= 1 && rank <= 4) return "idx";
  const isImage = text(0, 3) === "\xff\xd8\xff" || text(0, 4) === "\x89PNG" ||
    text(0, 4) === "GIF8" || text(0, 4) === "RIFF" && text(8, 4) === "WEBP" || text(0, 2) === "BM";
  if (isImage) return "image";
  return /^(\xef\xbb\xbf)?\s*\{/.test(text(0, 64)) ? "ndjson" : undefined;
}

/** Archives from before POSIX have no magic number but the sum of their header's bytes. */
function hasTarChecksum(head: Uint8Array): boolean {
  if (head.length < 512 || head[0] === 0) return false;
  const stored = /^[ 0]*([0-7]+)[ \0]/.exec(String.fromCharCode(...head.subarray(148, 156)));
  let sum = 0;
  for (let i = 0; i < 512; i++) sum += i >= 148 && i < 156 ? 32 : head[i];
  return stored !== null && parseInt(stored[1], 8) === sum;
}
