/** Containers that lie, and the policy for what can't be read. */
import assert from "node:assert/strict";
import { deflateRawSync } from "node:zlib";
import { openSamples, type OpenSamplesOptions } from "../../../pipeline/source/open_samples.ts";
import { crc32, streamedZipMembers } from "../../../pipeline/source/zip.ts";
import { countingSource, memoryHost } from "../../support/streams.ts";

const FIXTURES = new URL("fixtures/", import.meta.url).pathname;
const fixture = (name: string) => Deno.readFileSync(FIXTURES + name) as Uint8Array<ArrayBuffer>;

async function read(name: string, bytes: Uint8Array | string, options?: OpenSamplesOptions) {
  const { samples } = await openSamples(memoryHost({ [name]: bytes }), name, options);
  return await Array.fromAsync(samples);
}

/** Reads with `--on-broken skip`: positions that came, and what was said about the others. */
async function skipping(name: string, bytes: Uint8Array | string, options?: OpenSamplesOptions) {
  const errors: string[] = [];
  const onBroken = ({ message }: Error) => void errors.push(message);
  const all = await read(name, bytes, { ...options, onBroken });
  return { indices: all.map(({ index }) => index), errors };
}

Deno.test("a bad line of NDJSON names its number, and can be left out", async () => {
  const text = [
    '{"input": [1]}',
    '{"input": [1',
    "[]",
    '{"input": [[1], [2, 3]]}',
    '{"input": [2]}',
  ]
    .join("\n");
  await assert.rejects(read("a.jsonl", text), /While reading line 2 of "a.jsonl"/);
  const { indices, errors } = await skipping("a.jsonl", text);
  assert.deepEqual(indices, [0, 4]);
  assert.deepEqual(errors.map((error) => /line \d/.exec(error)?.[0]), [
    "line 2",
    "line 3",
    "line 4",
  ]);
  for (
    const input of ['{"data": "AAA=", "dims": [1]}', '{"data": "!", "dims": [1]}', "{}", '"x"']
  ) {
    await assert.rejects(
      read("a.jsonl", `{"input": ${input}}`),
      /PlimsollError: While reading line 1/,
    );
  }
});

Deno.test("damage in a member is named, and the others still come", async () => {
  for (const [name, at] of [["stored.zip", 70], ["deflated.zip", 70]] as const) {
    const bytes = fixture(name);
    bytes[at] ^= 0xff;
    await assert.rejects(read(name, bytes), new RegExp(`"set/a/0.png" in "${name}"`));
    const { indices, errors } = await skipping(name, bytes);
    assert.deepEqual(indices, [1, 2, 3]);
    assert.equal(errors.length, 1);
  }
});

for (
  const name of ["stored.zip", "deflated.zip", "piped.zip", "named.npz", "named-compressed.npz"]
) {
  Deno.test(`${name} with any byte flipped gives samples or a message, and never hangs`, async () => {
    // Byte 14 of a local header once made the library wait for ever.
    for (let at = 0; at < fixture(name).length; at += at < 40 ? 1 : 7) {
      for (const path of [name, "-"]) {
        const bytes = fixture(name);
        bytes[at] ^= 0x80;
        let timer: ReturnType<typeof setTimeout> | undefined;
        const late = new Promise<never>((_, reject) => {
          timer = setTimeout(() => reject(new Error(`hangs at byte ${at} of ${path}`)), 10_000);
        });
        await Promise.race([read(path, bytes), late]).catch((error) => {
          assert.equal(error.name, "PlimsollError", `byte ${at}: ${error.stack}`);
        });
        clearTimeout(timer);
      }
    }
  });
}

Deno.test("a wrong checksum of a tar header ends it with a message", async () => {
  const bytes = fixture("webdataset.tar");
  const header = new TextDecoder("latin1").decode(bytes).indexOf("shard/000002.png");
  bytes[header] ^= 1;
  await assert.rejects(
    read("webdataset.tar", bytes),
    /wanted a whole tar archive, found .*checksum/,
  );
  const { indices, errors } = await skipping("webdataset.tar", bytes);
  assert.equal(errors.length, 1);
  assert.deepEqual(indices, [0, 1]);
});

Deno.test("a label that is none is named with its file", async () => {
  const bytes = fixture("webdataset.tar");
  bytes[512] = "x".charCodeAt(0);
  await assert.rejects(read("webdataset.tar", bytes), /"shard\/000000.cls".*found "x"/);
  assert.deepEqual((await skipping("webdataset.tar", bytes)).indices, [1, 2, 3]);
});

/** A tar header for a file that says to be of some size. */
function tarHeader(path: string, octal: string): Uint8Array<ArrayBuffer> {
  const header = new Uint8Array(512);
  const write = (at: number, text: string) => header.set(new TextEncoder().encode(text), at);
  write(0, path);
  write(100, "0000644\0");
  write(124, octal);
  write(148, "        ");
  write(156, "0");
  write(257, "ustar\x0000");
  write(148, header.reduce((sum, byte) => sum + byte, 0).toString(8).padStart(6, "0") + "\0 ");
  return header;
}

Deno.test("members of a tar that are passed over don't keep the next ones from coming", async () => {
  const sizes = Array.from({ length: 200 }, (_, i) => 100 + 7919 * i % 60000);
  const parts = sizes.flatMap((size, i) => [
    tarHeader(`${i}.png`, size.toString(8).padStart(11, "0") + " "),
    new Uint8Array(Math.ceil(size / 512) * 512).fill(i),
  ]);
  const bytes = new Uint8Array(await new Blob([...parts, new Uint8Array(1024)]).arrayBuffer());
  for (const step of [2, 3, 50]) {
    const all = await read("a.tar", bytes, { skip: (index) => index % step !== 0 });
    assert.equal(all.length, Math.ceil(200 / step));
    for (const { index, encoded } of all) {
      assert.equal(encoded!.length, sizes[index]);
      assert.ok(encoded!.every((byte) => byte === index));
    }
  }
});

Deno.test("a member over the limit is refused before it is read", async () => {
  const bytes = tarHeader("a.png", "77777777777 ");
  await assert.rejects(
    read("a.tar", bytes),
    /wanted at most 256 MiB in one file.*found 8589934591/,
  );
});

/** A zip as it comes in a stream: one deflated member, its sizes and CRC as they are told. */
function zipOf(content: Uint8Array, told: { plain?: number; crc?: number; method?: number }) {
  const packed = deflateRawSync(content);
  const header = new Uint8Array(30 + 5 + packed.length + 4);
  const view = new DataView(header.buffer);
  view.setUint32(0, 0x04034b50, true);
  view.setUint16(8, told.method ?? 8, true);
  view.setUint32(14, told.crc ?? crc32(content), true);
  view.setUint32(18, packed.length, true);
  view.setUint32(22, told.plain ?? content.length, true);
  view.setUint16(26, 5, true);
  header.set(new TextEncoder().encode("a.png"), 30);
  header.set(packed, 35);
  view.setUint32(35 + packed.length, 0x02014b50, true);
  return header;
}

Deno.test("a zip in a stream: bombs, wrong checksums and unknown methods are refused", async () => {
  const content = new Uint8Array(1 << 20);
  const members = (bytes: Uint8Array<ArrayBuffer>) =>
    streamedZipMembers(countingSource([bytes]).stream, "z");
  const first = async (bytes: Uint8Array<ArrayBuffer>) => {
    for await (const member of members(bytes)) return (await member.read()).length;
  };
  assert.equal(await first(zipOf(content, {})), 1 << 20);
  await assert.rejects(first(zipOf(content, { plain: 100 })), /more than the 100 bytes it says/);
  await assert.rejects(first(zipOf(content, { plain: 2 ** 30 })), /at most 256 MiB/);
  await assert.rejects(first(zipOf(content, { crc: 1 })), /its checksum says/);
  await assert.rejects(first(zipOf(content, { method: 14 })), /compressed by method 14/);
});

Deno.test("crc32() is that of zip", () => {
  assert.equal(crc32(new TextEncoder().encode("123456789")), 0xcbf43926);
});

Deno.test("headers of .npy that lie are refused", async () => {
  const npy = (header: string, length = header.length) =>
    Uint8Array.from([
      ...[0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 2, 0],
      ...new Uint8Array(Uint32Array.of(length).buffer),
      ...new TextEncoder().encode(header),
    ]);
  const header = (descr: string, shape: string) =>
    npy(`{'descr': '${descr}', 'fortran_order': False, 'shape': (${shape}), }`);
  for (
    const [bytes, message] of [
      [npy("x", 2 ** 31), /a header of 2147483648 bytes/],
      [header("<f4", "2, 99999999, 99999999"), /samples of \d+ bytes/],
      [header("<f4", "9999999999999999, 4"), /samples of 16 bytes/],
      [header("<f4", ""), /a single number/],
      [header("<f4", "0, 3"), /without elements/],
      [header("<c8", "2, 3"), /elements of type <c8/],
      [npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,)}"), /the header \{/],
      [header("<f4", "1000000, 2"), /only 0 whole ones/],
    ] as const
  ) await assert.rejects(read("a.npy", bytes), message);
  await assert.rejects(read("f.npy", fixture("fortran.npy")), /Fortran order.*ascontiguousarray/);
});

Deno.test("a parquet file whose metadata lie is refused", async () => {
  const bytes = fixture("none.parquet");
  new DataView(bytes.buffer).setUint32(bytes.length - 8, 2 ** 31, true);
  await assert.rejects(read("a.parquet", bytes), /metadata of 2147483648 bytes/);
  for (let at = 0; at < bytes.length; at += 17) {
    const damaged = fixture("snappy.parquet");
    damaged[at] ^= 0xff;
    await read("a.parquet", damaged).catch((error) => {
      assert.equal(error.name, "PlimsollError", `byte ${at}: ${error.stack}`);
    });
  }
});

Deno.test("a file of another format than its name or the user says is refused", async () => {
  const cases: [string, Uint8Array, RegExp, OpenSamplesOptions?][] = [
    ["a.npy", fixture("stored.zip"), /wanted an npy file, as its name says, found a zip file/],
    ["a.zip", new Uint8Array(0), /found an empty file/],
    [
      "a",
      fixture("webdataset.tar"),
      /wanted a parquet file, as option `dataFormat` says, found a tar file/,
      {
        format: "parquet",
      },
    ],
    ["a.png", Uint8Array.of(0x89, 0x50, 0x4e, 0x47), /found an image.*Give the folder/],
    ["a.txt", Uint8Array.of(1, 2, 3, 4), /begins with 01 02 03 04.*option `dataFormat`/],
  ];
  for (const [name, bytes, message, options] of cases) {
    await assert.rejects(read(name, bytes, options), message);
  }
});

Deno.test("damage in the metadata of Parquet leaves no rejection to nobody, and skipping holds", async () => {
  const unhandled: unknown[] = [];
  const listen = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    unhandled.push(event.reason);
  };
  globalThis.addEventListener("unhandledrejection", listen);
  try {
    for (const name of ["snappy.parquet", "zstd.parquet", "none.parquet", "gzip.parquet"]) {
      const whole = fixture(name);
      const footer = new DataView(whole.buffer).getUint32(whole.length - 8, true);
      for (let at = whole.length - 8 - footer; at < whole.length - 8; at += 5) {
        const bytes = fixture(name);
        bytes[at] ^= 1 << at % 8;
        await skipping(name, bytes).catch((error) => assert.equal(error.name, "PlimsollError"));
        await new Promise((resolve) => setTimeout(resolve, 0));
        assert.deepEqual(unhandled, [], `byte ${at} of ${name}`);
      }
    }
  } finally {
    globalThis.removeEventListener("unhandledrejection", listen);
  }
});
