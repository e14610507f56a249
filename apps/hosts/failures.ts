/**
 * What hosts say when files and networks fail: the same on each of them.
 *
 * @module
 */
import type { ServeOptions } from "../../core/host.ts";
import { PlimsollError } from "../../core/errors.ts";

/** Fails to open a file or folder. */
export function throwUnreadable(path: string, cause: unknown, isMissing: boolean): never {
  throw new PlimsollError("input", {
    action: `opening ${JSON.stringify(path)}`,
    wanted: "a readable file",
    found: isMissing ? "no such file" : (cause as Error).message,
    remedy: "Check the path and its permissions",
    cause,
  });
}

/** Largest file that is read as a whole: a protobuf message ends there, and all else is far smaller. */
const MAX_WHOLE_BYTES = 2 ** 31 - 1;

/** What a path leads to, through links. */
export interface PathInfo {
  readonly isFile: boolean;
  readonly isDirectory: boolean;
  readonly size: number;
}

/**
 * Refuses what can't be read like a file: a folder fails later, a device has no end, and opening a pipe waits for who
 * writes into it.
 */
export function checkFile(path: string, { isFile, isDirectory, size }: PathInfo, isWhole: boolean) {
  if (!isFile) {
    const found = isDirectory ? "it is a folder" : "it is no file, but a pipe or a device";
    throwUnreadable(path, new Error(found), false);
  }
  if (isWhole && size > MAX_WHOLE_BYTES) {
    throw new PlimsollError("input", {
      action: `opening ${JSON.stringify(path)}`,
      wanted: `a file of at most ${MAX_WHOLE_BYTES} bytes`,
      found: `${size}`,
      remedy: "Name another file; weights of a larger model are external data (onnx.save_model)",
    });
  }
}

/** Fails to write a file. */
export function throwUnwritable(path: string, cause: unknown): never {
  throw new PlimsollError("output", {
    action: `writing ${JSON.stringify(path)}`,
    wanted: "a place that can be written",
    found: (cause as Error).message,
    remedy: "Choose another --out, or check permissions and free space",
    cause,
  });
}

/** Fails to fetch; what the caller stopped is no failure of the network. */
export function throwUnreachable(
  url: string,
  init: RequestInit | undefined,
  cause: unknown,
  remedy = "Check the address and the connection",
): never {
  if (init?.signal?.aborted) throw cause;
  throw new PlimsollError("input", {
    action: `fetching ${JSON.stringify(url)}`,
    wanted: "an answer",
    found: (cause as Error).message,
    remedy,
    cause,
  });
}

/** The error about a file that ends before it should. */
export function cutOff(path: string, offset: number, length: number, found: number): PlimsollError {
  return new PlimsollError("input", {
    action: `reading ${JSON.stringify(path)}`,
    wanted: `${length} bytes from byte ${offset} on`,
    found: `${found}`,
    remedy: "Copy or export the file again; it may be cut off",
  });
}

/** The error of whoever asks for standard input again. */
export function inputTaken(): PlimsollError {
  return new PlimsollError("input", {
    action: "reading standard input",
    wanted: "data that can be read again",
    found: "standard input, which was read already",
    remedy: "Save the data to a file and name that; what reads twice can't read a pipe",
  });
}

/** The folder of a path. */
export function parent(path: string): string {
  const trimmed = path.replace(/[/\\]+$/, "");
  const end = Math.max(trimmed.lastIndexOf("/"), trimmed.lastIndexOf("\\"));
  return end < 0 ? "." : end === 0 ? "/" : trimmed.slice(0, end);
}

/** Throws that a server can't listen. */
export function throwCannotListen({ hostname, port }: ServeOptions, cause: unknown): never {
  throw new PlimsollError("runtime", {
    action: `listening on ${hostname}:${port}`,
    wanted: "a free port of this machine",
    found: (cause as Error).message,
    remedy: "Give another --port, or 0 for any that is free",
    cause,
  });
}
