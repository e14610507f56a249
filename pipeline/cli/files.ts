/**
 * Small files that commands read, and where they lie.
 *
 * @module
 */
import { PlimsollError } from "../../tpc/core/errors.ts";
import type { Host } from "../core/host.ts";
import { isUrl } from "../source/byte_source.ts";

/** Reads and parses a JSON file. */
export async function readJson(host: Host, path: string): Promise<unknown> {
  const text = await readText(host, path);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new PlimsollError("input", {
      action: `reading ${JSON.stringify(path)}`,
      wanted: "JSON",
      found: (cause as Error).message,
      remedy: "Correct the file",
      cause,
    });
  }
}

/** Reads a text file. */
export async function readText(host: Host, path: string): Promise<string> {
  return new TextDecoder().decode(await host.readFile(path));
}

/** Path of a file in the same folder. */
export function sibling(path: string, name: string): string {
  return path.replace(/[^/\\]*$/, name);
}

/** A file that belongs to the data: in their folder, or beside it or their file. */
export async function besideData(
  host: Host,
  path: string,
  name: string,
): Promise<string | undefined> {
  if (path === "-" || isUrl(path)) return undefined;
  for (const file of [`${path.replace(/[/\\]+$/, "")}/${name}`, sibling(path, name)]) {
    if (await host.fileExists(file)) return file;
  }
  return undefined;
}
