/** Statistics files of version 3, made of those of today, to read. */
import { readPlim } from "../../pipeline/statistics/plim.ts";

const MAX_BYTES = 10;

/** A growing byte buffer. */
export class VarintWriter {
  #bytes = new Uint8Array(1 << 16);
  #length = 0;

  /** Appends an integer of 0 … 2^53. */
  writeNumber(value: number): void {
    this.#reserve();
    while (value >= 128) {
      this.#bytes[this.#length++] = value % 128 + 128;
      value = Math.floor(value / 128);
    }
    this.#bytes[this.#length++] = value;
  }

  /** Appends an integer of 0 … 2^64 − 1. */
  writeBigint(value: bigint): void {
    if (value <= Number.MAX_SAFE_INTEGER) return this.writeNumber(Number(value));
    this.#reserve();
    for (; value >= 128n; value >>= 7n) this.#bytes[this.#length++] = Number(value & 127n) + 128;
    this.#bytes[this.#length++] = Number(value);
  }

  /** What was written. */
  bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#length);
  }

  #reserve(): void {
    if (this.#length + MAX_BYTES <= this.#bytes.length) return;
    const grown = new Uint8Array(this.#bytes.length * 2);
    grown.set(this.#bytes);
    this.#bytes = grown;
  }
}

/** The same statistics as a file of version 3. */
export async function toVersion3(file: Uint8Array): Promise<Uint8Array> {
  const { tensors, channels } = await readPlim(file, "made");
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const text = new TextDecoder().decode(file.subarray(16, 16 + view.getUint32(12, true)));
  // It doesn't say what the model ran in.
  const { runtime: _, ...header } = JSON.parse(text);
  const parts: Uint8Array[] = [];
  tensors.forEach(({ histogram, heldOut }, i) => {
    const described = header.tensors[i];
    for (const [data, entry] of [[histogram, described], [heldOut, described.heldOut]] as const) {
      if (data === undefined) continue;
      const out = new VarintWriter();
      data.bins.forEach((bin, j) => {
        out.writeNumber(j === 0 ? bin : bin - data.bins[j - 1]);
        out.writeNumber(data.n[j]);
        out.writeBigint(data.r1[j]);
        out.writeBigint(data.r2[j]);
      });
      parts.push(out.bytes());
      entry.bytes = parts.at(-1)!.length;
    }
  });
  for (const { sums, squares } of channels) {
    for (const sum of [...sums ?? [], ...squares ?? []]) {
      const bytes = new DataView(new ArrayBuffer(16));
      bytes.setBigUint64(0, BigInt.asUintN(64, sum), true);
      bytes.setBigInt64(8, sum >> 64n, true);
      parts.push(new Uint8Array(bytes.buffer));
    }
  }
  const encoded = new TextEncoder().encode(JSON.stringify(header));
  const prefix = new Uint8Array(16);
  prefix.set(file.subarray(0, 8));
  const numbers = new DataView(prefix.buffer);
  numbers.setUint32(8, 3, true);
  numbers.setUint32(12, encoded.length, true);
  const body = new Uint8Array(
    await new Blob([prefix, encoded, ...parts] as BlobPart[]).arrayBuffer(),
  );
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", body));
  const old = new Uint8Array(body.length + hash.length);
  old.set(body);
  old.set(hash, body.length);
  return old;
}
