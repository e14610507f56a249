import assert from "node:assert/strict";
import type { Tensor } from "../../../core/tensor.ts";
import { PlimsollError } from "../../../core/errors.ts";
import { imageDecoder } from "../../../pipeline/source/decode_image.ts";
import { preprocessor } from "../../../pipeline/source/preprocess.ts";
import {
  parseCrop,
  parsePreprocessing,
  parseResize,
  PREPROCESSING_NAMES,
  presetPreprocessing,
} from "../../../tpc/recipe/preprocessing.ts";
import { sharedPath } from "../../support/shared.ts";

const image = {
  height: 1,
  width: 2,
  channels: 3,
  pixels: Uint8Array.of(0, 51, 102, 153, 204, 255),
};
const run = (options: unknown) =>
  preprocessor(parsePreprocessing(options, "test"))({ index: 0, id: "s", image }).input as Tensor;

Deno.test("preprocessor() computes (pixel · scale − mean) / std, rounded once", () => {
  const { data, dims } = run({ mean: [0.1, 0.2, 0.3], std: [0.5, 0.25, 0.125] });
  assert.deepEqual(dims, [3, 1, 2]);
  const value = (pixel: number, mean: number, std: number) =>
    Math.fround((pixel * (1 / 255) - mean) / std);
  assert.deepEqual([...data], [
    ...[value(0, 0.1, 0.5), value(153, 0.1, 0.5)],
    ...[value(51, 0.2, 0.25), value(204, 0.2, 0.25)],
    ...[value(102, 0.3, 0.125), value(255, 0.3, 0.125)],
  ]);
});

Deno.test("preprocessor() keeps channels last with layout NHWC", () => {
  const { data, dims } = run({ scale: 1, layout: "NHWC" });
  assert.deepEqual(dims, [1, 2, 3]);
  assert.deepEqual([...data], [...image.pixels]);
});

Deno.test("preprocessor() takes one number for all channels and refuses another count", () => {
  assert.deepEqual([...run({ scale: 1, mean: [1], std: 1 }).data], [-1, 152, 50, 203, 101, 254]);
  assert.throws(() => run({ mean: [0, 0] }), /preprocessing "s": wanted 2 channels.*found 3/);
});

Deno.test("parsePreprocessing() refuses what makes no sense", () => {
  assert.throws(() => parsePreprocessing({ std: 0 }, "p.json"), /"p.json".*std 0/);
  assert.throws(() => parsePreprocessing({ std: [1, 0, 1] }, "p.json"), /std 0/);
  assert.throws(() => parsePreprocessing({ meen: 1 }, "p.json"), /meen/);
});

const photo = (name: string) =>
  Deno.readFileSync(new URL(`../../wasm/image/images/${name}`, import.meta.url));

/** The pixels of a file, as an image that a source of pixels gives. */
function decoded(name: string) {
  const decoder = imageDecoder({ scale: 1, layout: "NHWC" });
  const { data, dims: [height, width, channels] } = decoder.decode(photo(name), name);
  return { pixels: Uint8Array.from(data), height, width, channels };
}

Deno.test("preprocessor() makes of an image file what it makes of its pixels", () => {
  const image = decoded("png_rgb.png");
  const encoded = photo("png_rgb.png");
  const common = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
  for (
    const options of [
      common,
      { ...common, layout: "NHWC" },
      { scale: 1, channelOrder: "BGR", mean: [1, 2, 3] },
      { ...common, resize: { shortest: 24 }, crop: { width: 20, height: 22 } },
      { grayscale: true, resize: { width: 10, height: 12 }, interpolation: "bicubic", mean: [0.5] },
    ]
  ) {
    const preprocess = preprocessor(parsePreprocessing(options, "test"));
    const fromPixels = preprocess({ index: 3, id: "s", label: 7, image });
    assert.deepEqual(preprocess({ index: 3, id: "s", label: 7, encoded }), fromPixels);
    assert.deepEqual([fromPixels.index, fromPixels.id, fromPixels.label], [3, "s", 7]);
  }
});

Deno.test("preprocessor() resizes grey pixels to grey, and refuses other channels there", () => {
  const preprocess = preprocessor(parsePreprocessing({ resize: { shortest: 2 } }, "test"));
  const grey = { height: 4, width: 6, channels: 1, pixels: new Uint8Array(24).fill(255) };
  const { dims, data } = preprocess({ index: 0, id: "s", image: grey }).input as Tensor;
  assert.deepEqual([dims, [...data]], [[1, 2, 3], [1, 1, 1, 1, 1, 1]]);
  const two = { height: 2, width: 6, channels: 2, pixels: new Uint8Array(24) };
  assert.throws(
    () => preprocess({ index: 0, id: "s", image: two }),
    /reading image "s".*1 or 3 channels/,
  );
});

Deno.test("preprocessor() names the image file that it can't read, and goes on", () => {
  const preprocess = preprocessor(parsePreprocessing({}, "test"));
  const encoded = photo("jpeg_420.jpg");
  assert.throws(
    () => preprocess({ index: 0, id: "a/b.jpg", encoded: encoded.subarray(0, 900) }),
    (error) =>
      error instanceof PlimsollError && error.kind === "data" &&
      /reading image "a\/b.jpg".*byte 900.*\(truncated\)/.test(error.message),
  );
  assert.deepEqual((preprocess({ index: 1, id: "b", encoded }).input as Tensor).dims, [3, 77, 61]);
  const options = parsePreprocessing({}, "test");
  const limited = preprocessor(options, imageDecoder(options, { maxPixels: 1000 }));
  assert.throws(() => limited({ index: 0, id: "c", encoded }), /61 × 77 .*Raise --max-pixels/);
  const wrong = preprocessor(parsePreprocessing({ mean: [1, 2] }, "test"));
  assert.throws(() => wrong({ index: 0, id: "d", encoded }), /"d".*mean of 1 or 3 numbers/);
});

Deno.test("presetPreprocessing() knows imagenet, inception and raw", () => {
  const encoded = photo("jpeg_420.jpg");
  const shapes = PREPROCESSING_NAMES.map((name) => {
    const preprocess = preprocessor(presetPreprocessing(name)!);
    return (preprocess({ index: 0, id: name, encoded }).input as Tensor).dims;
  });
  assert.deepEqual(shapes, [[3, 224, 224], [3, 299, 299], [3, 77, 61]]);
  assert.equal(presetPreprocessing("raw")!.scale, 1);
  assert.equal(presetPreprocessing("toString"), undefined);
});

Deno.test("parseResize() and parseCrop() read what the command line has", () => {
  assert.deepEqual(parseResize("256"), { shortest: 256, rounding: "round" });
  assert.deepEqual(parseResize("320x240"), { width: 320, height: 240 });
  assert.deepEqual(parseCrop("224"), { width: 224, height: 224, rounding: "truncate" });
  assert.deepEqual(parseCrop("32x24"), { width: 32, height: 24, rounding: "truncate" });
  for (const text of ["", "0", "x", "1x", "1x2x3", "-1", "1e3", "70000"]) {
    assert.deepEqual([parseResize(text), parseCrop(text)], [undefined, undefined], text);
  }
});

Deno.test("parsePreprocessing() names the field that is wrong", () => {
  assert.throws(() => parsePreprocessing({ resize: { shortest: 0 } }, "p"), /resize.shortest: /);
  assert.throws(() => parsePreprocessing({ crop: { width: 2 } }, "p"), /crop\.height: /);
  assert.throws(() => parsePreprocessing({ interpolation: "cubic" }, "p"), /interpolation: /);
});

const data = sharedPath("data/imagenet-sample") && sharedPath("data");
Deno.test({
  name:
    "preprocessor() gives EfficientNet-Lite0 what its reference.py gives it (needs ../shared/data)",
  ignore: data === undefined,
  fn() {
    const { rows } = JSON.parse(Deno.readTextFileSync(`${data}/efficientnet-lite0/reference.json`));
    const preprocess = preprocessor(parsePreprocessing({
      resize: { shortest: 256, rounding: "round" },
      crop: { width: 224, height: 224, rounding: "truncate" },
      scale: 1,
    }, "test"));
    for (const [name, { pixel_sum }] of Object.entries<{ pixel_sum: number }>(rows)) {
      const encoded = Deno.readFileSync(`${data}/imagenet-sample/${name}`);
      const { data: values } = preprocess({ index: 0, id: name, encoded }).input as Tensor;
      const sum = values.reduce((sum, value) => sum + value, 0);
      const off = Math.abs(sum - pixel_sum) / values.length;
      // Chroma in half the resolution: libjpeg-turbo and zune-jpeg round it in different ways.
      assert.ok(off < 0.25, `${name}: mean is off by ${off} of 255`);
    }
  },
});

Deno.test("sizes in files may be written as those of options", () => {
  const parse = (value: unknown) => parsePreprocessing(value, "p");
  assert.deepEqual(
    parse({ resize: 256, crop: "224" }),
    parse({
      resize: { shortest: 256 },
      crop: { width: 224, height: 224 },
    }),
  );
  assert.deepEqual(parse({ resize: "320x240" }), parse({ resize: { width: 320, height: 240 } }));
  for (const resize of [0, -1, "x", "3x", 2.5, true, [3]]) {
    assert.throws(() => parse({ resize }), /resize/, String(resize));
  }
});

Deno.test("one number for all channels is the same however it is written", () => {
  const parse = (value: unknown) => parsePreprocessing(value, "p");
  assert.deepEqual(parse({ mean: [127], std: [128] }), parse({ mean: 127, std: 128 }));
  assert.deepEqual(parse({ mean: [1, 2, 3] }).mean, [1, 2, 3]);
});
