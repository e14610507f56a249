/** Containers whose checksums are right, whatever is in them. */
import { deflateRawSync, gzipSync } from "node:zlib";
import { crc32 } from "../../pipeline/source/zip.ts";
import type { Chance } from "./chance.ts";
import { ODD_NUMBERS } from "./chance.ts";

const text = new TextEncoder();

/** Pieces in one array. */
export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.length;
  }
  return all;
}

/** A file of a container. */
export interface Member {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** A zip; now and then a number of it lies. */
export function zipOf(chance: Chance, members: readonly Member[], lies: number): Uint8Array {
  const parts: Uint8Array[] = [];
  const central: Uint8Array[] = [];
  let offset = 0;
  const number = (x: number) => chance.happens(lies) ? chance.pick(ODD_NUMBERS) >>> 0 : x;
  for (const { name, bytes } of members) {
    const encoded = text.encode(name).slice(0, 60000);
    const isDeflated = chance.happens(0.5);
    const data = isDeflated ? deflateRawSync(bytes) : bytes;
    const local = new DataView(new ArrayBuffer(30));
    const entry = new DataView(new ArrayBuffer(46));
    const fields: [DataView, number][] = [[local, 4], [entry, 6]];
    local.setUint32(0, 0x04034b50, true);
    entry.setUint32(0, 0x02014b50, true);
    for (const [view, from] of fields) {
      view.setUint16(from, 20, true);
      view.setUint16(from + 2, chance.happens(lies) ? 8 : 0, true);
      view.setUint16(from + 4, isDeflated ? 8 : chance.happens(lies) ? 14 : 0, true);
      view.setUint32(from + 10, crc32(bytes), true);
      view.setUint32(from + 14, number(data.length), true);
      view.setUint32(from + 18, number(bytes.length), true);
      view.setUint16(from + 22, number(encoded.length), true);
    }
    entry.setUint32(42, number(offset), true);
    parts.push(new Uint8Array(local.buffer), encoded, data);
    central.push(new Uint8Array(entry.buffer), encoded);
    offset += 30 + encoded.length + data.length;
  }
  const size = central.reduce((sum, { length }) => sum + length, 0);
  const end = new DataView(new ArrayBuffer(22));
  end.setUint32(0, 0x06054b50, true);
  end.setUint16(8, number(members.length), true);
  end.setUint16(10, number(members.length), true);
  end.setUint32(12, number(size), true);
  end.setUint32(16, number(offset), true);
  return concat([...parts, ...central, new Uint8Array(end.buffer)]);
}

/** A tar with right checksums of its headers. */
export function tarOf(chance: Chance, members: readonly Member[], lies: number): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const { name, bytes } of members) {
    const header = new Uint8Array(512);
    const put = (at: number, value: string) => header.set(text.encode(value).slice(0, 100), at);
    put(0, name);
    put(100, "0000644\0");
    const size = chance.happens(lies) ? Math.abs(chance.pick(ODD_NUMBERS)) : bytes.length;
    put(
      124,
      chance.happens(lies) ? "99999999999\0" : size.toString(8).padStart(11, "0").slice(-11),
    );
    put(148, "        ");
    put(156, chance.happens(lies) ? chance.pick(["x", "g", "L", "K", "5", "2", "S", "\0"]) : "0");
    put(257, "ustar\x0000");
    put(148, header.reduce((sum, byte) => sum + byte, 0).toString(8).padStart(6, "0") + "\0 ");
    parts.push(header, bytes, new Uint8Array((512 - bytes.length % 512) % 512));
  }
  if (!chance.happens(lies)) parts.push(new Uint8Array(1024));
  return concat(parts);
}

/** A .npy file with any header. */
export function npyOf(header: string, data: Uint8Array, version = 1): Uint8Array {
  const padded = text.encode(header.padEnd(Math.ceil((header.length + 11) / 64) * 64 - 11) + "\n");
  const prefix = version === 1 ? new Uint8Array(10) : new Uint8Array(12);
  prefix.set([0x93, ...text.encode("NUMPY"), version, 0]);
  const view = new DataView(prefix.buffer);
  if (version === 1) view.setUint16(8, padded.length, true);
  else view.setUint32(8, padded.length, true);
  return concat([prefix, padded, data]);
}

/** A PNG whose chunks have right checksums again. */
export function mendPng(bytes: Uint8Array): Uint8Array {
  const mended = bytes.slice();
  const view = new DataView(mended.buffer, mended.byteOffset, mended.byteLength);
  for (let at = 8; at + 12 <= mended.length;) {
    const length = view.getUint32(at);
    if (at + 12 + length > mended.length) break;
    view.setUint32(at + 8 + length, crc32(mended.subarray(at + 4, at + 8 + length)));
    at += 12 + length;
  }
  return mended;
}

/** Now and then behind gzip. */
export function maybeGzip(chance: Chance, bytes: Uint8Array): Uint8Array {
  return chance.happens(0.1) ? new Uint8Array(gzipSync(bytes)) : bytes;
}
