/**
 * Small files that commands read, and where they lie.
 *
 * @module
 */
import type { Host } from "../../core/host.ts";
import { parseJson } from "../../core/parse_json.ts";
import { isUrl } from "../../pipeline/source/byte_source.ts";

/** Reads and parses a JSON file. */
export async function readJson(host: Host, path: string): Promise<unknown> {
  return parseJson(await readText(host, path), path);
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
