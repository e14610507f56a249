/**
 * The image core against Pillow: expected values come from `reference.py`, which also computes the images.
 *
 * Stated tolerances, in levels of 0 … 255. PNG, WebP, GIF and BMP, and all resizing: none, to the last bit. BMP with 15
 * or 16 bits a pixel: 1. JPEG: see `JPEG_LIMITS`; two decoders that follow the standard may differ, and libjpeg-turbo and
 * zune-jpeg do: by the rounding of the inverse DCT, and of chroma where it is stored in half the resolution.
 */
import assert from "node:assert/strict";
import { crc32 } from "node:zlib";
import {
  createImageCore,
  DEFAULT_MAX_PIXELS,
  imageBinary,
  ImageError,
  type PreparedImage,
  type PrepareOptions,
} from "../../../wasm/image.ts";
import { sharedPath } from "../../support/shared.ts";

interface Picture {
  readonly width: number;
  readonly height: number;
  readonly crc32: number;
  readonly mean: readonly number[];
  readonly grid: string;
}
interface Expected {
  readonly rgb: Picture;
  readonly grey: Picture;
  readonly cases: readonly (Picture & { readonly options: PrepareOptions })[];
}

/** Most that a value of a JPEG's 8 × 8 grid, their mean, and the mean of a channel may be off. */
const JPEG_LIMITS = {
  decoded: { value: 4, grid: 0.6, mean: 0.6 },
  resized: { value: 3, grid: 0.6, mean: 0.6 },
};

const FOLDER = new URL("./", import.meta.url);
const RAW: PrepareOptions = { scale: 1, layout: "NHWC" };
const core = await createImageCore();

function readExpected(name: string): [string, Expected][] {
  return Object.entries(JSON.parse(Deno.readTextFileSync(new URL(name, FOLDER))).images);
}

const selfMade = readExpected("images.json").map(([name, expected]) => ({
  name,
  expected,
  bytes: Deno.readFileSync(new URL(`images/${name}`, FOLDER)),
}));
const file = (name: string) => selfMade.find((image) => image.name === name)!.bytes;

/** Pixels 0 … 255 of a result with scale 1. */
function pixels({ data }: PreparedImage): Uint8Array {
  const bytes = Uint8Array.from(data);
  assert.ok(data.every((value, i) => value === bytes[i]), "values are whole numbers 0 … 255");
  return bytes;
}

function checkSize({ dims: [height, width] }: PreparedImage, wanted: Picture, what: string) {
  assert.deepEqual([width, height], [wanted.width, wanted.height], what);
}

/** How far a result is from the grid and the means of a picture. */
function distance(found: PreparedImage, wanted: Picture) {
  const [height, width, channels] = found.dims;
  const grid = Uint8Array.fromBase64(wanted.grid);
  const differences: number[] = [];
  for (let row = 0; row < 8; row++) {
    for (let column = 0; column < 8; column++) {
      const y = Math.floor((2 * row + 1) * height / 16);
      const x = Math.floor((2 * column + 1) * width / 16);
      for (let c = 0; c < channels; c++) {
        const value = found.data[(y * width + x) * channels + c];
        differences.push(Math.abs(value - grid[differences.length]));
      }
    }
  }
  const means = wanted.mean.map((mean, c) => {
    let sum = 0;
    for (let i = c; i < found.data.length; i += channels) sum += found.data[i];
    return Math.abs(sum / (height * width) - mean);
  });
  const average = differences.reduce((sum, each) => sum + each, 0) / differences.length;
  return { value: Math.max(...differences), grid: average, mean: Math.max(...means) };
}

function checkNear(
  found: PreparedImage,
  wanted: Picture,
  limits: { value: number; grid: number; mean: number },
  what: string,
) {
  checkSize(found, wanted, what);
  const { value, grid, mean } = distance(found, wanted);
  assert.ok(value <= limits.value, `${what}: a value is off by ${value}`);
  assert.ok(grid <= limits.grid, `${what}: values are off by ${grid} on average`);
  assert.ok(mean <= limits.mean, `${what}: a mean is off by ${mean}`);
}

Deno.test("ImageCore reads every format to Pillow's pixels, and resizes to its last bit", () => {
  for (const { name, expected, bytes } of selfMade) {
    const pictures: [string, PrepareOptions, Picture][] = [
      ["RGB", {}, expected.rgb],
      ["grey", { grayscale: true }, expected.grey],
      ...expected.cases.map((each): [string, PrepareOptions, Picture] => [
        JSON.stringify(each.options),
        each.options,
        each,
      ]),
    ];
    for (const [title, options, wanted] of pictures) {
      const what = `${name}, ${title}`;
      const found = core.prepare(bytes, { ...RAW, ...options });
      if (name.endsWith(".jpg")) checkNear(found, wanted, JPEG_LIMITS.decoded, what);
      else if (/^bmp_5/.test(name)) checkNear(found, wanted, { value: 1, grid: 1, mean: 1 }, what);
      else {
        checkSize(found, wanted, what);
        assert.equal(crc32(pixels(found)), wanted.crc32, what);
      }
    }
  }
});

Deno.test("ImageCore gives the size of the upright image, and the format by contents", () => {
  const { width, height, format } = core.prepare(file("jpeg_exif6.jpg"), { crop: CROP });
  assert.deepEqual([width, height, format], [30, 40, "jpeg"]);
  const formats = new Set(selfMade.map(({ bytes }) => core.prepare(bytes).format));
  assert.deepEqual([...formats].sort(), ["bmp", "gif", "jpeg", "png", "webp"]);
});

Deno.test("ImageCore turns all eight orientations to the same picture", () => {
  // Stored alike, so turned differently: the second turned by its inverse gives the first.
  const upright = pixels(core.prepare(file("jpeg_exif1.jpg"), RAW));
  const at = (data: Uint8Array, width: number, x: number, y: number) =>
    data.subarray((y * width + x) * 3, (y * width + x) * 3 + 3);
  const [W, H] = [40, 30];
  const turned: Record<number, (x: number, y: number) => [number, number]> = {
    2: (x, y) => [W - 1 - x, y],
    3: (x, y) => [W - 1 - x, H - 1 - y],
    4: (x, y) => [x, H - 1 - y],
    5: (x, y) => [y, x],
    6: (x, y) => [H - 1 - y, x],
    7: (x, y) => [H - 1 - y, W - 1 - x],
    8: (x, y) => [y, W - 1 - x],
  };
  for (const [orientation, place] of Object.entries(turned)) {
    const found = core.prepare(file(`jpeg_exif${orientation}.jpg`), RAW);
    const data = pixels(found);
    for (let y = 0; y < H; y++) {
      for (let x = 0; x < W; x++) {
        const [newX, newY] = place(x, y);
        assert.deepEqual(
          at(data, found.dims[1], newX, newY),
          at(upright, W, x, y),
          `${orientation}`,
        );
      }
    }
  }
});

const CROP = { width: 20, height: 10 };

Deno.test("ImageCore computes (pixel · scale − mean) / std in float64 and rounds once, in every order", () => {
  const options: PrepareOptions = {
    resize: { shortest: 33 },
    crop: { width: 31, height: 29 },
    interpolation: "bicubic",
  };
  const [mean, std] = [[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]];
  const plain = pixels(core.prepare(file("png_rgb.png"), { ...RAW, ...options }));
  const value = (pixel: number, c: number) => Math.fround((pixel * (1 / 255) - mean[c]) / std[c]);
  for (const layout of ["NCHW", "NHWC"] as const) {
    for (const channelOrder of ["RGB", "BGR"] as const) {
      const { data, dims } = core.prepare(file("png_rgb.png"), {
        ...{ ...options, layout, channelOrder, mean, std },
      });
      assert.deepEqual(dims, layout === "NCHW" ? [3, 29, 31] : [29, 31, 3]);
      const wanted = new Float32Array(data.length);
      for (let i = 0; i < 29 * 31; i++) {
        for (let c = 0; c < 3; c++) {
          const pixel = plain[i * 3 + (channelOrder === "RGB" ? c : 2 - c)];
          wanted[layout === "NCHW" ? c * 29 * 31 + i : i * 3 + c] = value(pixel, c);
        }
      }
      assert.deepEqual(data, wanted, `${layout} ${channelOrder}`);
    }
  }
});

Deno.test("ImageCore.preparePixels() does with pixels what prepare() does with the file", () => {
  const options: PrepareOptions = { resize: { shortest: 20 }, crop: CROP, mean: 0.5, std: 0.25 };
  for (const [name, channels] of [["png_rgb.png", 3], ["png_grey.png", 1]] as const) {
    const bytes = file(name);
    const grayscale = channels === 1;
    const { dims: [height, width], data } = core.prepare(bytes, { ...RAW, grayscale });
    const image = { pixels: Uint8Array.from(data), width, height, channels };
    const found = core.preparePixels(image, options);
    const { data: wanted, dims } = core.prepare(bytes, { ...options, grayscale });
    assert.deepEqual(found, { data: wanted, dims });
  }
  const image = { pixels: new Uint8Array(5), width: 2, height: 1, channels: 3 };
  assert.throws(() => core.preparePixels(image), /found 5 values for 2 × 1 × 3/);
});

Deno.test("ImageCore pads a crop beyond the image with pixels of 0, normalised like all others", () => {
  const crop = { width: 3, height: 3 };
  const { data } = core.prepare(file("png_one.png"), { crop, mean: 0.5, std: 0.5 });
  const pixel = core.prepare(file("png_one.png"), { mean: 0.5, std: 0.5 }).data;
  const wanted = new Float32Array(27).fill(-1);
  for (let c = 0; c < 3; c++) wanted[c * 9 + 4] = pixel[c];
  assert.deepEqual(data, wanted);
});

Deno.test("ImageCore names what is wrong with a file", () => {
  const text = new TextEncoder();
  const cases: [string | Uint8Array, string, RegExp][] = [
    ["", "not-an-image", /an empty file/],
    ["hello", "not-an-image", /starts with \[68, 65, 6c, 6c, 6f\]/],
    ["II*\0........", "unsupported", /TIFF/],
    ["....ftypavif", "unsupported", /AVIF/],
    ["<svg></svg>", "unsupported", /SVG/],
    [file("jpeg_420.jpg").subarray(0, 700), "truncated", /ends at byte 700/],
    [file("png_rgb.png").subarray(0, 700), "truncated", /PNG/],
    [file("webp_lossy.webp").subarray(0, 200), "truncated", /ends at byte 200/],
    [file("gif_animated.gif").subarray(0, 200), "truncated", /GIF/],
    [file("bmp_rgb.bmp").subarray(0, 200), "truncated", /BMP/],
    [file("png_rgb.png").map((byte, i) => i === 300 ? byte ^ 1 : byte), "broken", /PNG/],
  ];
  for (const [contents, kind, message] of cases) {
    const bytes = typeof contents === "string" ? text.encode(contents) : contents;
    assert.throws(() => core.prepare(bytes), (error) => {
      assert.ok(error instanceof ImageError);
      assert.equal(error.kind, kind, error.message);
      assert.match(error.message, message);
      return true;
    });
  }
});

Deno.test("ImageCore refuses bombs by their header, before it takes memory", async () => {
  const fresh = await createImageCore();
  const before = fresh.memoryBytes;
  const change = (name: string, at: number, ...bytes: number[]) => {
    const copy = file(name).slice();
    copy.set(bytes, at);
    return copy;
  };
  const frame = file("jpeg_420.jpg").findIndex((byte, i, all) =>
    byte === 0xFF && all[i + 1] === 0xC0
  );
  const png = change("png_rgb.png", 16, 0, 1, 0, 0, 0, 1, 0, 0);
  new DataView(png.buffer).setUint32(29, crc32(png.subarray(12, 29)));
  const bombs = {
    jpeg: change("jpeg_420.jpg", frame + 5, 0xFF, 0xF0, 0xFF, 0xF0),
    png,
    gif: change("gif_animated.gif", 6, 0xFF, 0xFF, 0xFF, 0xFF),
    bmp: change("bmp_rgb.bmp", 18, 0, 0, 1, 0, 0, 0, 1, 0),
  };
  for (const [name, bytes] of Object.entries(bombs)) {
    assert.throws(() => fresh.prepare(bytes), (error) => {
      assert.ok(error instanceof ImageError);
      assert.equal(error.kind, "too-large", `${name}: ${error.message}`);
      return true;
    });
  }
  assert.ok(fresh.memoryBytes - before < 2 ** 20, `${fresh.memoryBytes} bytes after the bombs`);
  const options = { maxPixels: 61 * 77 - 1 };
  for (const name of ["jpeg_420.jpg", "png_rgb.png", "webp_lossy.webp", "webp_lossless.webp"]) {
    assert.throws(() => fresh.prepare(file(name), options), /61 × 77 pixels, 4696 are allowed/);
    fresh.prepare(file(name), { maxPixels: 61 * 77 });
  }
  assert.throws(
    () => fresh.prepare(file("png_one.png"), { resize: { shortest: 100_000 } }),
    /too-large.*100000 × 100000 pixels after resize/,
  );
  assert.equal(DEFAULT_MAX_PIXELS, 25_165_824);
});

Deno.test("ImageCore gives of every truncated file an error or the whole picture, and goes on", () => {
  const wanted = pixels(core.prepare(file("png_grey.png"), RAW));
  for (const { name, bytes } of selfMade) {
    const whole = core.prepare(bytes, RAW).data;
    const step = Math.max(1, Math.floor(bytes.length / 150));
    for (let length = 0; length < bytes.length; length += length > bytes.length - 40 ? 1 : step) {
      try {
        const { data } = core.prepare(bytes.subarray(0, length), RAW);
        assert.deepEqual(data, whole, `${name} cut at ${length}`);
        assert.ok(!name.endsWith(".jpg"), `${name} cut at ${length} was read`);
      } catch (error) {
        if (!(error instanceof ImageError)) throw error;
        assert.equal(error.cause, undefined, `${name} cut at ${length}: ${error.message}`);
      }
    }
  }
  assert.deepEqual(pixels(core.prepare(file("png_grey.png"), RAW)), wanted);
});

Deno.test("ImageCore survives damaged files of every format", () => {
  let seed = 7;
  const random = (below: number) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor(seed / 2 ** 32 * below);
  };
  const wanted = pixels(core.prepare(file("png_grey.png"), RAW));
  let failures = 0;
  for (const { name, bytes } of selfMade) {
    for (let round = 0; round < 60; round++) {
      const damaged = bytes.slice();
      for (let i = 0; i <= round % 4; i++) {
        damaged[random(round % 2 ? 64 : damaged.length)] = random(256);
      }
      try {
        core.prepare(damaged, { ...RAW, maxPixels: 2 ** 22 });
      } catch (error) {
        if (!(error instanceof ImageError)) throw new Error(name, { cause: error });
        failures++;
      }
    }
  }
  assert.ok(failures > 500, `${failures} refused`);
  assert.deepEqual(pixels(core.prepare(file("png_grey.png"), RAW)), wanted);
});

/** A module with the exports of the image core, whose `prepare` gives up. */
function trappingModule(): WebAssembly.Module {
  const section = (id: number, ...bytes: number[]) => [id, bytes.length, ...bytes];
  const text = (name: string) => [name.length, ...new TextEncoder().encode(name)];
  const [i32Const, end, unreachable] = [0x41, 0x0b, 0x00];
  /** `at` in LEB128, of numbers with 14 bits. */
  const address = (at: number) => [5, 0, i32Const, at & 0x7f | 0x80, at >> 7, end];
  const functions = ["request", "response", "tables", "input", "prepare"];
  return new WebAssembly.Module(Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, 2, 0x60, 0, 1, 0x7f, 0x60, 1, 0x7f, 1, 0x7f),
    ...section(3, 5, 0, 0, 0, 1, 0),
    ...section(5, 1, 0, 1),
    ...section(
      7,
      functions.length + 1,
      ...[...text("memory"), 2, 0],
      ...functions.flatMap((name, i) => [...text(name), 0, i]),
    ),
    ...section(
      10,
      functions.length,
      ...[512, 1024, 2048, 6144].flatMap(address),
      ...[3, 0, unreachable, end],
    ),
  ]));
}

Deno.test("ImageCore makes an error of a trap, and a new instance", async () => {
  const trapping = await createImageCore(trappingModule());
  for (let round = 0; round < 2; round++) {
    assert.throws(() => trapping.prepare(file("png_one.png")), (error) => {
      assert.ok(error instanceof ImageError);
      assert.equal(error.kind, "no-memory");
      assert.ok(error.cause instanceof WebAssembly.RuntimeError);
      return true;
    });
  }
});

Deno.test("ImageCore needs no memory for what a chunk only announces", async () => {
  const bytes = file("webp_exif6.webp").slice();
  const at = new TextDecoder("latin1").decode(bytes).indexOf("EXIF");
  new DataView(bytes.buffer).setUint32(at + 4, 0x7fff_ffff, true);
  const fresh = await createImageCore();
  assert.deepEqual(fresh.prepare(bytes).dims, [3, 30, 40]);
  assert.ok(fresh.memoryBytes < 2 ** 22, `${fresh.memoryBytes} bytes`);
});

Deno.test("ImageCore needs no more memory for 1,000 images than for the first ones", async () => {
  const fresh = await createImageCore();
  const options: PrepareOptions = { resize: { shortest: 64 }, crop: { width: 56, height: 56 } };
  const runAll = (times: number) => {
    for (let i = 0; i < times; i++) fresh.prepare(selfMade[i % selfMade.length].bytes, options);
  };
  runAll(2 * selfMade.length);
  const before = fresh.memoryBytes;
  runAll(1000);
  assert.equal(fresh.memoryBytes, before);
});

Deno.test("ImageCore gives large memory back after a large image", async () => {
  const fresh = await createImageCore();
  const before = fresh.memoryBytes;
  // Both are beyond the default limit.
  const maxPixels = 9000 * 9000;
  const resize = { width: 9000, height: 9000 };
  fresh.prepare(file("png_one.png"), { resize, crop: CROP, maxPixels });
  const options = { resize: { width: 6000, height: 6000 }, maxPixels };
  assert.equal(fresh.prepare(file("png_one.png"), options).data.length, 3 * 6000 * 6000);
  assert.ok(fresh.memoryBytes <= before + 2 ** 20, `${fresh.memoryBytes}`);
  assert.equal(fresh.prepare(file("png_one.png")).data.length, 3);
});

Deno.test("createImageCore() takes a compiled module, which imports nothing", async () => {
  const module = await WebAssembly.compile(imageBinary());
  assert.deepEqual(WebAssembly.Module.imports(module), []);
  const { data } = (await createImageCore(module)).prepare(file("png_one.png"));
  assert.deepEqual(data, core.prepare(file("png_one.png")).data);
  assert.ok(imageBinary().length < 600_000, `${imageBinary().length} bytes`);
});

Deno.test("ImageCore refuses options that make no sense", () => {
  const bytes = file("png_one.png");
  assert.throws(() => core.prepare(bytes, { mean: [1, 2] }), /wanted mean of 1 or 3 numbers/);
  assert.throws(() => core.prepare(bytes, { resize: { shortest: 0 } }), /wanted a shortest side/);
  assert.throws(() => core.prepare(bytes, { crop: { width: 1.5, height: 1 } }), /wanted a crop/);
  const interpolation = "cubic" as "bicubic";
  assert.throws(() => core.prepare(bytes, { interpolation }), /wanted interpolation nearest, /);
});

Deno.test("wasm/generated/image.ts belongs to the sources in wasm/image", async () => {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      new URL("../../../wasm/image/build.ts", import.meta.url).pathname,
      ...["--check", "--no-build"],
    ],
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
});

const data = sharedPath("data/photos") && sharedPath("data");

Deno.test({
  name:
    "ImageCore gives photographs Pillow's and torchvision's pixels within the stated limits (needs ../shared/data)",
  ignore: data === undefined,
  fn() {
    for (const [name, expected] of readExpected("photos.json")) {
      const bytes = Deno.readFileSync(`${data}/${name}`);
      checkNear(core.prepare(bytes, RAW), expected.rgb, JPEG_LIMITS.decoded, name);
      for (const wanted of expected.cases) {
        const found = core.prepare(bytes, { ...RAW, ...wanted.options });
        checkNear(
          found,
          wanted,
          JPEG_LIMITS.resized,
          `${name} ${JSON.stringify(wanted.options)}`,
        );
      }
    }
  },
});
