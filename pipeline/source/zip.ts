/**
 * Members of a zip archive, from a file with random access or from a stream.
 *
 * @module
 */
import {
  configure,
  type FileEntry,
  Reader,
  ZipReader,
} from "@zip.js/zip.js/lib/zip-core-native.js";
import { PlimsollError } from "../../core/errors.ts";
import { ByteReader } from "./byte_reader.ts";
import type { ByteSource } from "./byte_source.ts";
import { MAX_MEMBER_BYTES, type Member, tooLarge } from "./member_samples.ts";

// The platform inflates, here; workers of its own would need code from blob addresses.
configure({ useWebWorkers: false, useCompressionStream: true });

/** A file in a zip archive with random access. */
export interface ZipMember extends Member {
  /** Its content piece by piece. Consume it or cancel it. */
  stream(): ReadableStream<Uint8Array<ArrayBuffer>>;
}

/** Ranges of a file, as the library wants them. */
class Ranges extends Reader<undefined> {
  readonly #slice: (start: number, end: number) => Promise<ArrayBuffer>;

  constructor(byteLength: number, slice: (start: number, end: number) => Promise<ArrayBuffer>) {
    super(undefined);
    this.size = byteLength;
    this.#slice = slice;
  }

  override async readUint8Array(start: number, length: number): Promise<Uint8Array> {
    const end = Math.min(start + length, this.size);
    if (start < 0 || end < start) throw new Error(`a place outside of the file, byte ${start}`);
    return new Uint8Array(await this.#slice(start, end));
  }
}

/**
 * Files of a zip archive in the order of its directory. Holds the directory (some 100 bytes a file)
 * and what is read of one member.
 *
 * @throws {PlimsollError} kind `input`, from the generator.
 */
export async function* zipMembers(
  { name, byteLength, slice }: Pick<ByteSource, "name" | "byteLength" | "slice">,
): AsyncGenerator<ZipMember> {
  const reader = new ZipReader(new Ranges(byteLength!, slice!));
  const entries = reader.getEntriesGenerator();
  while (true) {
    const { done, value } = await entries.next().catch((cause) => {
      throw damaged(name, cause);
    });
    if (done) return;
    if (value.directory) continue;
    const entry: FileEntry = value;
    yield {
      path: entry.filename,
      byteLength: entry.uncompressedSize,
      stream: () => contentOf(entry, name),
      read: () => collect(contentOf(entry, name), entry.uncompressedSize, entry.filename),
    };
  }
}

function contentOf(entry: FileEntry, name: string): ReadableStream<Uint8Array<ArrayBuffer>> {
  if (entry.encrypted) throw damaged(name, new Error(`${entry.filename} is encrypted`));
  const { readable, writable } = new TransformStream<Uint8Array<ArrayBuffer>>();
  const stop = new AbortController();
  const reader = readable.getReader();
  let done: Promise<unknown> | undefined;
  return new ReadableStream({
    pull: async (controller) => {
      done ??= entry.getData(writable, { checkSignature: true, signal: stop.signal });
      const next = reader.read();
      try {
        // Where the archive is damaged, `done` fails and the stream just never goes on.
        const { done: isEnd, value } = await Promise.race([next, done.then(() => next)]);
        if (!isEnd) return controller.enqueue(value);
        await done;
      } catch (cause) {
        next.catch(() => {});
        throw damaged(name, cause);
      }
      controller.close();
    },
    cancel: async (reason) => {
      stop.abort(reason);
      await reader.cancel(reason).catch(() => {});
      await done?.catch(() => {});
    },
  }, { highWaterMark: 0 });
}

const LOCAL_HEADER = 0x04034b50;
const DESCRIPTOR = 0x08074b50;
/** What may follow the last member: central directory, encryption or archive records, the end. */
const BEHIND_MEMBERS = [0x02014b50, 0x08064b50, 0x06064b50, 0x06054b50];
const STORED = 0;
const DEFLATED = 8;

/**
 * Files of a zip archive as they come in a stream. Most libraries go to the directory at the end; fflate 0.8.2, whose
 * `Unzip` streams, tears a stored zip inside a zip apart, passes wrong checksums and sizes, and takes a file that is no
 * zip for an empty one (measured). Members whose size stands behind them (bit 3 of the flags)
 * end where a descriptor with just their size stands. Holds one member as it is compressed, and
 * decompressed.
 *
 * The layout is APPNOTE.TXT 6.3.10 §4.3 (https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT).
 *
 * @throws {PlimsollError} kind `input`, from the generator.
 */
export async function* streamedZipMembers(
  stream: ReadableStream<Uint8Array>,
  name: string,
): AsyncGenerator<Member> {
  const bytes = new ByteReader(stream);
  try {
    while (true) {
      const header = await bytes.read(30);
      const view = new DataView(header.buffer, header.byteOffset, header.length);
      const signature = header.length < 4 ? undefined : view.getUint32(0, true);
      if (signature !== undefined && BEHIND_MEMBERS.includes(signature)) return;
      if (header.length < 30 || signature !== LOCAL_HEADER) {
        throw damaged(name, new Error(header.length < 30 ? "it is cut off" : "no member header"));
      }
      const [flags, method] = [view.getUint16(6, true), view.getUint16(8, true)];
      const text = await bytes.read(view.getUint16(26, true));
      const extra = await bytes.read(view.getUint16(28, true));
      const path = new TextDecoder().decode(text);
      const sizes = sizesOf(view, extra);
      const isOpen = (flags & 8) !== 0 && sizes.compressed === 0;
      const crc = view.getUint32(14, true);
      if ((flags & 1) !== 0) throw damaged(name, new Error(`${path} is encrypted`));
      if (method !== STORED && method !== DEFLATED) {
        throw damaged(name, new Error(`${path} is compressed by method ${method}`));
      }
      let isRead = false;
      const take = async () => {
        isRead = true;
        if (isOpen) return await readOpen(bytes, name, path);
        const data = await bytes.read(sizes.compressed);
        if (data.length < sizes.compressed) throw damaged(name, new Error("it is cut off"));
        return { data, crc, size: sizes.plain };
      };
      if (!path.endsWith("/")) {
        yield {
          path,
          byteLength: isOpen ? 0 : Math.max(sizes.compressed, sizes.plain),
          read: async () => {
            const { data, crc, size } = await take();
            const plain = method === STORED ? data : await inflate(data, size, path);
            if (plain.length !== size || crc32(plain) !== crc) {
              throw damaged(name, new Error(`${path} has another content than its checksum says`));
            }
            return plain;
          },
        };
      }
      if (!isRead) {
        if (isOpen) await readOpen(bytes, name, path);
        else if (await bytes.skip(sizes.compressed) < sizes.compressed) {
          throw damaged(name, new Error("it is cut off"));
        }
      }
      // Some writers give the sizes in front, and the descriptor nevertheless.
      if ((flags & 8) !== 0 && !isOpen) await skipDescriptor(bytes);
    }
  } finally {
    await bytes.cancel().catch(() => {});
  }
}

/** Sizes from a local header, or from its Zip64 field where they stand there. */
function sizesOf(view: DataView, extra: Uint8Array): { compressed: number; plain: number } {
  const sizes = { compressed: view.getUint32(18, true), plain: view.getUint32(22, true) };
  const fields = new DataView(extra.buffer, extra.byteOffset, extra.length);
  for (let at = 0; at + 4 <= extra.length; at += 4 + fields.getUint16(at + 2, true)) {
    if (fields.getUint16(at, true) !== 1) continue;
    let value = at + 4;
    const next = () => {
      value += 8;
      return value <= extra.length ? Number(fields.getBigUint64(value - 8, true)) : Infinity;
    };
    if (sizes.plain === 0xffffffff) sizes.plain = next();
    if (sizes.compressed === 0xffffffff) sizes.compressed = next();
  }
  return sizes;
}

interface Packed {
  readonly data: Uint8Array<ArrayBuffer>;
  readonly crc: number;
  /** Bytes when decompressed. */
  readonly size: number;
}

/**
 * A member whose size stands behind it: it ends where a descriptor says just the number of bytes that were
 * read, and another record follows. That both stand in the middle of its data by chance is out of
 * the question: 12 to 20 bytes would have to be right.
 */
async function readOpen(bytes: ByteReader, name: string, path: string): Promise<Packed> {
  let data = new Uint8Array(1 << 16);
  let filled = 0;
  let from = 0;
  let isEnd = false;
  while (true) {
    const view = new DataView(data.buffer);
    for (let at = from; (at = data.subarray(0, filled).indexOf(0x50, at)) >= 0; at++) {
      from = at;
      // Longest descriptor and the signature behind it.
      if (at + 28 > filled && !isEnd) break;
      if (at + 20 > filled || view.getUint32(at, true) !== DESCRIPTOR) continue;
      for (const wide of [false, true]) {
        const end = at + (wide ? 24 : 16);
        if (end + 4 > filled) continue;
        const follower = view.getUint32(end, true);
        if (follower !== LOCAL_HEADER && !BEHIND_MEMBERS.includes(follower)) continue;
        const size = (offset: number) =>
          wide ? Number(view.getBigUint64(at + offset, true)) : view.getUint32(at + offset, true);
        if (size(8) !== at) continue;
        bytes.unread(data.slice(end, filled));
        return {
          data: data.subarray(0, at),
          crc: view.getUint32(at + 4, true),
          size: size(wide ? 16 : 12),
        };
      }
    }
    if (data.subarray(from, filled).indexOf(0x50) < 0) from = filled;
    if (isEnd) throw damaged(name, new Error(`${path} is cut off`));
    const chunk = await bytes.readSome();
    isEnd = chunk === undefined;
    if (chunk === undefined) continue;
    if (filled + chunk.length > MAX_MEMBER_BYTES) {
      throw tooLarge(path, `more than ${MAX_MEMBER_BYTES}`);
    }
    if (filled + chunk.length > data.length) {
      const larger = new Uint8Array(Math.max(2 * data.length, filled + chunk.length));
      larger.set(data.subarray(0, filled));
      data = larger;
    }
    data.set(chunk, filled);
    filled += chunk.length;
  }
}

async function skipDescriptor(bytes: ByteReader): Promise<void> {
  const isAt = async (...signatures: number[]) => {
    const next = await bytes.read(4);
    bytes.unread(next);
    return next.length === 4 &&
      signatures.includes(new DataView(next.buffer, next.byteOffset).getUint32(0, true));
  };
  if (!await isAt(DESCRIPTOR)) return;
  await bytes.skip(16);
  if (!await isAt(LOCAL_HEADER, ...BEHIND_MEMBERS)) await bytes.skip(8);
}

async function inflate(
  data: Uint8Array<ArrayBuffer>,
  size: number,
  path: string,
): Promise<Uint8Array> {
  if (size > MAX_MEMBER_BYTES) throw tooLarge(path, size);
  const packed = new ReadableStream({
    pull: (controller) => {
      controller.enqueue(data);
      controller.close();
    },
  }, { highWaterMark: 0 });
  return await collect(packed.pipeThrough(new DecompressionStream("deflate-raw")), size, path);
}

/** Content that must have just `size` bytes: more would be a bomb. */
async function collect(
  stream: ReadableStream<Uint8Array>,
  size: number,
  path: string,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(size);
  let filled = 0;
  try {
    for await (const chunk of stream) {
      if (filled + chunk.length > size) {
        throw new Error(`it holds more than the ${size} bytes it says`);
      }
      bytes.set(chunk, filled);
      filled += chunk.length;
    }
    if (filled < size) throw new Error(`it holds ${filled} bytes and says ${size}`);
  } catch (cause) {
    throw damaged(path, cause);
  }
  return bytes;
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? 0xedb88320 ^ crc >>> 1 : crc >>> 1;
  return crc;
});

/** The CRC-32 of zip and gzip (ISO 3309). */
export function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (let i = 0; i < bytes.length; i++) crc = CRC_TABLE[(crc ^ bytes[i]) & 255] ^ crc >>> 8;
  return ~crc >>> 0;
}

function damaged(name: string, cause: unknown): PlimsollError {
  if (cause instanceof PlimsollError) return cause;
  return new PlimsollError("input", {
    action: `reading ${JSON.stringify(name)}`,
    wanted: "a whole zip archive, its files stored or deflated, not encrypted",
    found: (cause as Error).message,
    remedy: "Get the file again, or pack it anew",
    cause,
  });
}
