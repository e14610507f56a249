/** Every format: what its files give, and how they behave as streams. */
import assert from "node:assert/strict";
import { denoHost } from "../../../apps/hosts/deno.ts";
import { openSamples, type OpenSamplesOptions } from "../../../pipeline/source/open_samples.ts";
import type { InputTensor, RawSample } from "../../../core/tensor.ts";
import { memoryHost, settle } from "../../support/streams.ts";

const FIXTURES = new URL("fixtures/", import.meta.url).pathname;
/** Labels that make.py gives. */
const LABELS = [3, 1, 4, 1];
const VALUES = Float32Array.from({ length: 24 }, (_, i) => (i - 5) / 4);

const fixture = (name: string) => Deno.readFileSync(FIXTURES + name) as Uint8Array<ArrayBuffer>;
const open = (name: string, options?: OpenSamplesOptions) =>
  openSamples(denoHost, FIXTURES + name, options);
const labelsOf = (samples: readonly RawSample[]) => samples.map(({ label }) => label);
const image = (i: number) => new Uint8Array(imageBytes[i]);
const imageBytes = (await Array.fromAsync((await open("stored.zip")).samples)).map((sample) =>
  sample.encoded!
);

Deno.test("the fixtures hold four images that differ", () => {
  assert.equal(imageBytes.length, 4);
  for (const bytes of imageBytes) assert.equal(String.fromCharCode(...bytes.slice(1, 4)), "PNG");
  assert.equal(new Set(imageBytes.map(String)).size, 4);
});

interface ImageCase {
  name: string;
  count?: number;
  labels: (number | undefined)[];
  classes?: string[];
  options?: OpenSamplesOptions;
}
const NONE = [undefined, undefined, undefined, undefined];
const IMAGES: ImageCase[] = [
  { name: "webdataset.tar", labels: LABELS },
  { name: "webdataset-gnu.tar.gz", labels: LABELS },
  { name: "plain-pax.tar", labels: NONE },
  { name: "plain-pax.tar", labels: LABELS, options: { labels: { pattern: /^(\d+)_/ } } },
  { name: "stored.zip", count: 4, labels: [0, 1, 0, 1], classes: ["a", "b"] },
  { name: "deflated.zip", count: 4, labels: [0, 1, 0, 1], classes: ["a", "b"] },
  { name: "piped.zip", count: 4, labels: [0, 1, 0, 1], classes: ["a", "b"] },
  {
    name: "deflated.zip",
    count: 4,
    labels: [2, 0, 2, 0],
    classes: ["b", "c", "a"],
    options: { labels: { classes: ["b", "c", "a"] } },
  },
  ...["snappy", "zstd", "gzip", "none"].map((codec) => ({
    name: `${codec}.parquet`,
    count: 4,
    labels: LABELS,
    classes: [..."vwxyz"],
  })),
  { name: "binary.parquet", count: 4, labels: NONE },
];
for (const { name, count, labels, classes, options } of IMAGES) {
  Deno.test(`openSamples() gives images and labels of ${name}${options ? ", labels named" : ""}`, async () => {
    const source = await open(name, options);
    assert.equal(source.count, count);
    assert.deepEqual(source.classes, classes);
    if (source.isLabelled !== undefined) {
      assert.equal(source.isLabelled, labels[0] !== undefined);
    }
    const samples = await Array.fromAsync(source.samples);
    assert.deepEqual(samples.map(({ index }) => index), [0, 1, 2, 3]);
    assert.deepEqual(labelsOf(samples), labels);
    samples.forEach(({ encoded }, i) => assert.deepEqual(new Uint8Array(encoded!), image(i)));
  });
}

for (const name of ["stored.zip", "deflated.zip", "piped.zip", "webdataset.tar"]) {
  Deno.test(`openSamples() reads ${name} from standard input, knowing it by its bytes`, async () => {
    const source = await openSamples(memoryHost({ "-": fixture(name) }), "-", {
      labels: { classes: ["a", "b"] },
    });
    assert.equal(source.count, undefined);
    const samples = await Array.fromAsync(source.samples);
    assert.deepEqual(
      labelsOf(samples),
      name.endsWith("tar") ? LABELS : [0, 1, 0, 1],
    );
    samples.forEach(({ encoded }, i) => assert.deepEqual(new Uint8Array(encoded!), image(i)));
  });
}

for (const type of ["little-f4", "little-f8", "little-f2", "big-f4"]) {
  Deno.test(`openSamples() gives the float32 values of ${type}.npy`, async () => {
    const { count, samples } = await open(`${type}.npy`);
    assert.equal(count, 4);
    const all = (await Array.fromAsync(samples)).map(({ input }) => ({
      input: input as InputTensor,
    }));
    assert.deepEqual(all[0].input.dims, [2, 3]);
    assert.ok(all[0].input.data instanceof Float32Array);
    assert.deepEqual(all.flatMap(({ input }) => [...input.data as Float32Array]), [...VALUES]);
  });
}

for (const type of ["i1", "i2", "i4", "i8", "u2", "u4", "u8"]) {
  Deno.test(`openSamples() gives the integers of ${type}.npy`, async () => {
    const all = await Array.fromAsync((await open(`${type}.npy`)).samples) as {
      input: { data: Int32Array | BigInt64Array };
    }[];
    const kind = ["i8", "u4", "u8"].includes(type) ? BigInt64Array : Int32Array;
    assert.ok(all[0].input.data instanceof kind);
    assert.deepEqual(
      all.flatMap(({ input }) => Array.from(input.data as Int32Array, Number)),
      [...VALUES].map((value) => Math.abs(value * 4)),
    );
  });
}

for (const name of ["named.npz", "named-compressed.npz"]) {
  Deno.test(`openSamples() gives named inputs and labels of ${name}`, async () => {
    const { count, isLabelled, samples } = await open(name);
    assert.deepEqual([count, isLabelled], [4, true]);
    const all = await Array.fromAsync(samples);
    assert.deepEqual(labelsOf(all), LABELS);
    assert.deepEqual(all[1].input, {
      ids: { data: BigInt64Array.of(2n, 3n), dims: [2] },
      x: { data: VALUES.slice(6, 12), dims: [2, 3] },
    });
  });
}

Deno.test("an .npz may have single numbers for all samples, and inputs without elements", async () => {
  const { count, samples } = await open("constants.npz", { skip: (index) => index === 0 });
  assert.equal(count, 4);
  const all = await Array.fromAsync(samples);
  assert.equal(all.length, 3);
  for (const { index, input } of all) {
    assert.deepEqual(input, {
      x: { data: VALUES.slice(6 * index, 6 * index + 6), dims: [2, 3] },
      rate: { data: BigInt64Array.of(16000n), dims: [] },
      gain: { data: Float32Array.of(0.5), dims: [] },
      past: { data: new Float32Array(0), dims: [0, 3] },
    });
  }
  await assert.rejects(open("numbers.npz"), /found single numbers alone.* counts the samples/);
});

/** An .npy file of unsigned bytes counting up. */
function bytesNpy(shape: number[]): Uint8Array {
  const header = `{'descr': '|u1', 'fortran_order': False, 'shape': (${shape.join(", ")},), }`;
  const text = `\x93NUMPY\x01\x00${String.fromCharCode(118, 0)}${header.padEnd(117)}\n`;
  const size = shape.reduce((a, b) => a * b);
  return Uint8Array.from([
    ...Array.from(text, (char) => char.charCodeAt(0)),
    ...Array.from({ length: size }, (_, i) => i),
  ]);
}

Deno.test("openSamples() takes bytes of an .npy for pixels, whichever axis has the channels", async () => {
  for (
    const [shape, pixels] of [
      [[1, 2, 2], [0, 1, 2, 3]],
      [[1, 1, 2, 3], [0, 1, 2, 3, 4, 5]],
      [[1, 3, 1, 2], [0, 2, 4, 1, 3, 5]],
    ]
  ) {
    const { samples } = await openSamples(memoryHost({ "a.npy": bytesNpy(shape) }), "a.npy");
    const [{ image }] = await Array.fromAsync(samples);
    assert.deepEqual([...image!.pixels], pixels);
    assert.equal(image!.height * image!.width * image!.channels, pixels.length);
  }
});

Deno.test("openSamples() gives lines of NDJSON, whatever form the tensors have", async () => {
  const base64 = btoa(String.fromCharCode(...new Uint8Array(Float32Array.of(1, -2).buffer)));
  const lines = [
    { input: [[1, 2], [3, 4]], label: 7 },
    { input: { data: base64, dims: [2, 1] } },
    { input: { ids: { data: [5, 6], dims: [2], type: "int64" }, x: [0.5] }, label: 0 },
  ];
  const text = "\n" + lines.map((line) => JSON.stringify(line)).join("\r\n\n");
  const { samples } = await openSamples(memoryHost({ "a.ndjson": text }), "a.ndjson", {
    format: "ndjson",
  });
  const all = await Array.fromAsync(samples);
  assert.deepEqual(all.map(({ input, label }) => ({ input, label })), [
    { input: { data: Float32Array.of(1, 2, 3, 4), dims: [2, 2] }, label: 7 },
    { input: { data: Float32Array.of(1, -2), dims: [2, 1] }, label: undefined },
    {
      input: {
        ids: { data: BigInt64Array.of(5n, 6n), dims: [2] },
        x: { data: Float32Array.of(0.5), dims: [1] },
      },
      label: 0,
    },
  ]);
  assert.equal(all[1].id, "a.ndjson:4");
});

Deno.test("openSamples() cuts raw values by their shape and says what is left over", async () => {
  const values = Float32Array.from({ length: 12 }, (_, i) => i);
  const bytes = new Uint8Array(values.buffer);
  const options = { inputShape: [2, 3] };
  const { count, samples } = await openSamples(memoryHost({ "a.bin": bytes }), "a.bin", options);
  assert.equal(count, 2);
  const all = await Array.fromAsync(samples);
  assert.deepEqual(all[1].input, { data: Float32Array.of(6, 7, 8, 9, 10, 11), dims: [2, 3] });
  const cut = await openSamples(memoryHost({ "a.bin": bytes.slice(0, 40) }), "a.bin", options);
  await assert.rejects(Array.fromAsync(cut.samples), /found 16 bytes at the end, behind 1 whole/);
  await assert.rejects(
    openSamples(memoryHost({ "a.bin": bytes }), "a.bin", { format: "raw" }),
    /option `inputShape`, such as 3x224x224/,
  );
});

const png = (i = 0) => new Uint8Array(imageBytes[i]);

Deno.test("openSamples() of a folder sorts names, takes folders for classes and says what it ignored", async () => {
  const notes: string[] = [];
  const host = memoryHost({
    "d/dog/2.PNG": png(2),
    "d/cat/10.jpeg": png(1),
    "d/cat/1.png": png(0),
    "d/ant/deep/x.webp": png(3),
    "d/cat/.DS_Store": "x",
    "d/read.me": "x",
  });
  const source = await openSamples(host, "d", { onNote: (text) => notes.push(text) });
  assert.deepEqual(
    [source.count, source.isLabelled, source.classes],
    [4, true, ["ant", "cat", "dog"]],
  );
  const all = await Array.fromAsync(source.samples);
  assert.deepEqual(all.map(({ id, label }) => [id, label]), [
    ["d/ant/deep/x.webp", 0],
    ["d/cat/1.png", 1],
    ["d/cat/10.jpeg", 1],
    ["d/dog/2.PNG", 2],
  ]);
  assert.match(notes.join(), /ignored .*"d".*1 × \.me/);
});

Deno.test("openSamples() of a folder without classes gives no labels", async () => {
  const folders: Record<string, Uint8Array>[] = [{ "d/a/1.png": png(), "d/a/2.png": png() }, {
    "d/1.png": png(),
  }];
  for (const files of folders) {
    const { isLabelled, samples } = await openSamples(memoryHost(files), "d");
    assert.equal(isLabelled, false);
    assert.ok((await Array.fromAsync(samples)).every(({ label }) => label === undefined));
  }
  await assert.rejects(
    async () => Array.fromAsync((await openSamples(memoryHost({ "d/a.txt": "" }), "d")).samples),
    /wanted images: jpg.*found other files only/,
  );
});

Deno.test("dotted names are samples of their own, and labels beside them label them", async () => {
  const host = memoryHost({
    "d/val.001.png": png(0),
    "d/val.002.png": png(1),
    "d/x.png": png(2),
    "d/x.json": '{"label": 5}',
    "d/notes.json": "no JSON at all",
  });
  const all = await Array.fromAsync((await openSamples(host, "d")).samples);
  assert.deepEqual(labelsOf(all), [undefined, undefined, 5]);
});

Deno.test("a folder on the disk: links are followed, circles are not", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${folder}/a`);
    await Deno.writeFile(`${folder}/a/1.png`, png(0));
    await Deno.mkdir(`${folder}/b`);
    await Deno.symlink(`${folder}/a/1.png`, `${folder}/b/2.png`);
    await Deno.symlink(folder, `${folder}/b/round`);
    const { samples, identity } = await openSamples(denoHost, folder);
    assert.match(identity, /^[0-9a-f]{64}$/);
    assert.deepEqual(labelsOf(await Array.fromAsync(samples)), [0, 1]);
    assert.equal((await openSamples(denoHost, `${folder}/`)).identity, identity);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

const ALL = [
  ...IMAGES.filter(({ options }) => options === undefined).map(({ name }) => name),
  "little-f4.npy",
  "named.npz",
  "named-compressed.npz",
];
for (const name of ALL) {
  Deno.test(`${name}: limit and skip choose positions; the others keep theirs`, async () => {
    const { samples } = await open(name, { limit: 3, skip: (index) => index === 1 });
    assert.deepEqual((await Array.fromAsync(samples)).map(({ index }) => index), [0, 2]);
    const other = await open(name, { skip: (index) => index !== 3 });
    const [last] = await Array.fromAsync(other.samples);
    assert.equal(last.index, 3);
    if (last.encoded) assert.deepEqual(new Uint8Array(last.encoded), image(3));
  });

  Deno.test(`${name}: its identity is the same at another path, and other content has another`, async () => {
    const whole = fixture(name);
    const changed = whole.slice();
    changed[whole.length >> 1] ^= 1;
    const identity = async (path: string, bytes: Uint8Array) => {
      const source = await openSamples(memoryHost({ [path]: bytes }), path);
      await source.samples.cancel();
      return source.identity;
    };
    const first = await identity(name, whole);
    assert.equal(await identity(`elsewhere/${name}`, whole), first);
    const other = await identity(name, changed).catch(() => "unreadable");
    assert.notEqual(other, first);
  });

  Deno.test(`${name}: cancelling lets go of its file, before the first sample and behind it`, async () => {
    // The sanitizer of resources counts what is left open.
    for (const taken of [0, 1]) {
      const { samples } = await open(name);
      const reader = samples.getReader();
      for (let i = 0; i < taken; i++) await reader.read();
      await reader.cancel("enough");
    }
    await settle();
  });

  Deno.test(`${name}: cut off anywhere it fails by a message and never hangs`, async () => {
    const file = fixture(name);
    // Two blocks of zeros end a tar; more of them are padding.
    const whole = name.endsWith(".tar")
      ? file.slice(0, file.findLastIndex((byte) => byte !== 0) + 1)
      : file;
    for (let cut = 1; cut < whole.length; cut += 1 + Math.floor(whole.length / 40)) {
      const bytes = whole.slice(0, cut);
      const host = memoryHost({ [name]: bytes });
      const read = async () => {
        const { samples } = await openSamples(host, name);
        return await Array.fromAsync(samples);
      };
      await read().then(
        (all) => assert.fail(`${all.length} samples of ${cut} bytes`),
        (error) => assert.equal(error.name, "PlimsollError", `${cut}: ${error.stack}`),
      );
      const broken: string[] = [];
      const skipping = await openSamples(host, name, {
        onBroken: ({ message }) => void broken.push(message),
      }).catch(() => undefined);
      if (skipping === undefined) continue;
      const all = await Array.fromAsync(skipping.samples).catch((error) => {
        assert.equal(error.name, "PlimsollError", error.stack);
        return [];
      });
      assert.ok(all.length <= 4);
      assert.ok(broken.length > 0 || all.length === 0, `nothing said at ${cut}`);
    }
  });
}

Deno.test("standard input is pulled only when asked, and cancelled with the reason", async () => {
  const samples = 4000;
  const bytes = new Uint8Array(4 * 64 * samples);
  let pulled = 0;
  let cancelled: unknown;
  const host = {
    ...memoryHost(),
    openInput: () =>
      new ReadableStream<Uint8Array<ArrayBuffer>>({
        pull: (controller) => {
          if (pulled === bytes.length) return controller.close();
          controller.enqueue(bytes.slice(pulled, pulled += 1024));
        },
        cancel: (reason) => void (cancelled = reason),
      }, { highWaterMark: 0 }),
  };
  const source = await openSamples(host, "-", { format: "raw", inputShape: [64] });
  const reader = source.samples.getReader();
  await settle();
  assert.equal(pulled, 65536, "the head alone");
  for (let i = 0; i < 512; i++) await reader.read();
  await settle();
  assert.ok(pulled <= 512 * 256 + 1024, `${pulled} pulled`);
  await reader.cancel("enough");
  assert.equal(cancelled, "enough");
});

Deno.test("a tar is read at most 1 MiB and some chunks ahead of the sample that was asked for", async () => {
  const member = fixture("webdataset.tar").slice(0, 512 * 6);
  // The three members of a sample, again and again under the same name but for its number.
  const sampleAt = (index: number) => {
    const bytes = member.slice();
    const name = new TextEncoder().encode(`shard/${String(index).padStart(6, "0")}`);
    for (let at = 0; at < bytes.length; at += 1024) {
      bytes.set(name, at);
      const header = bytes.subarray(at, at + 512);
      header.fill(32, 148, 156);
      const sum = header.reduce((total, byte) => total + byte, 0);
      header.set(new TextEncoder().encode(`${sum.toString(8).padStart(6, "0")}\0 `), 148);
    }
    return bytes;
  };
  let pulled = 0;
  const host = {
    ...memoryHost(),
    openInput: () =>
      new ReadableStream<Uint8Array<ArrayBuffer>>({
        pull: (controller) => controller.enqueue(sampleAt(pulled++)),
      }, { highWaterMark: 0 }),
  };
  const reader = (await openSamples(host, "-")).samples.getReader();
  for (let taken = 1; taken <= 2000; taken++) {
    const { value } = await reader.read();
    assert.equal(value!.index, taken - 1);
    if (taken % 500 !== 0) continue;
    await settle();
    const ahead = (pulled - taken) * member.length;
    assert.ok(ahead <= 2 ** 20 + 2 ** 17, `${ahead} bytes ahead`);
  }
  await reader.cancel();
});

Deno.test("a zip in a file is read by ranges, never as a whole", async () => {
  for (const name of ["stored.zip", "deflated.zip", "named.npz"]) {
    const bytes = fixture(name);
    // 10 MB in front that no reader needs.
    const file = new Uint8Array(10e6 + bytes.length);
    file.set(bytes, 10e6);
    file.set(bytes.subarray(0, 8));
    let read = 0;
    const memory = memoryHost({ [name]: file });
    const host = {
      ...memory,
      readRange: (path: string, offset: number, length: number) => {
        read += length;
        return memory.readRange(path, offset, length);
      },
    };
    const { samples } = await openSamples(host, name);
    assert.equal((await Array.fromAsync(samples)).length, 4);
    assert.ok(read < 1e6, `${read} bytes read of ${name}`);
  }
});

Deno.test("cancelling ends a wait for standard input that never comes", async () => {
  let cancelled: unknown;
  const first = new TextEncoder().encode('{"input": [1]}\n'.padEnd(70000));
  const host = {
    ...memoryHost(),
    openInput: () =>
      new ReadableStream<Uint8Array<ArrayBuffer>>({
        pull: (controller) => first.length > 0 && pulls++ === 0 ? controller.enqueue(first) : never,
        cancel: (reason) => void (cancelled = reason),
      }, { highWaterMark: 0 }),
  };
  let pulls = 0;
  const never = new Promise<void>(() => {});
  const reader = (await openSamples(host, "-")).samples.getReader();
  await reader.read();
  const waiting = reader.read();
  await reader.cancel("left");
  assert.equal((await waiting).done, true);
  assert.equal(cancelled, "left");
});

Deno.test("an .npz from standard input is known by its first file, and needs a file", async () => {
  const host = {
    ...memoryHost(),
    openInput: () => ReadableStream.from([fixture("named.npz")]),
  };
  await assert.rejects(openSamples(host, "-"), /parts of an npz file .* found a stream/);
});
