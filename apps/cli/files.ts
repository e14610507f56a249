/**
 * Small files that commands read, and where they lie.
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";
import type { Host, Reader } from "../../core/host.ts";
import { parseJson } from "../../core/parse_json.ts";
import type { SideFileReader } from "../../onnx/file/external_data.ts";
import { type ByteSource, isUrl } from "../../pipeline/source/byte_source.ts";

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

/**
 * Reads from the files beside a model. A link may lead to where the model itself is, as in the cache of a hub, but not
 * out of both folders: who has a model may read what lies with it, and nothing else of this machine.
 */
export function readerBeside(host: Reader, file: string): SideFileReader {
  let folders: readonly string[] | undefined;
  return async (location, offset, length) => {
    const path = sibling(file, location);
    if (host.realPath !== undefined) {
      folders ??= [
        await host.realPath(sibling(file, "") || "."),
        sibling(await host.realPath(file), ""),
      ].map((folder) => folder.replace(/[/\\]$/, ""));
      const real = await host.realPath(path);
      const isInside = (folder: string) =>
        real.startsWith(folder) && /^[/\\]/.test(real.slice(folder.length));
      if (!folders.some(isInside)) {
        throw new PlimsollError("model", {
          action: `reading external data of ${JSON.stringify(file)}`,
          wanted: "a file in the folder of the model or below",
          found: `${JSON.stringify(location)}, a link out of it`,
          remedy: "Copy the file to where the link is",
        });
      }
    }
    return await host.readRange(path, offset, length);
  };
}

/** Largest model that is fetched; a protobuf message ends there. */
const MAX_FETCHED_BYTES = 2 ** 31 - 1;

/** All bytes of a place that streams them. */
export async function readWhole(source: ByteSource): Promise<Uint8Array<ArrayBuffer>> {
  const fail = (found: number) =>
    new PlimsollError("input", {
      action: `fetching ${JSON.stringify(source.name)}`,
      wanted: `at most ${MAX_FETCHED_BYTES} bytes`,
      found: `${found}`,
      remedy: "Name a model; its weights may be beside it, as external data",
    });
  const { byteLength = 0 } = source;
  if (byteLength > MAX_FETCHED_BYTES) {
    await source.cancel();
    throw fail(byteLength);
  }
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  for await (const piece of source.stream()) {
    size += piece.length;
    if (size > MAX_FETCHED_BYTES) throw fail(size);
    pieces.push(piece);
  }
  return new Uint8Array(await new Blob(pieces).arrayBuffer());
}
