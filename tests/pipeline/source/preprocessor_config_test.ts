import assert from "node:assert/strict";
import { preprocessingFromConfig } from "../../../pipeline/source/preprocessor_config.ts";

const read = (config: unknown) => preprocessingFromConfig(config, "preprocessor_config.json");
const HALF = [0.5, 0.5, 0.5];
const DEFAULTS = {
  channelOrder: "RGB",
  grayscale: false,
  interpolation: "bilinear",
  layout: "NCHW",
  mean: 0,
  scale: 1 / 255,
  std: 1,
};

Deno.test("preprocessingFromConfig() reads ViT's configuration, new and old", () => {
  const wanted = {
    ...DEFAULTS,
    resize: { width: 224, height: 224 },
    mean: HALF,
    std: HALF,
  };
  const config = {
    do_normalize: true,
    do_rescale: true,
    do_resize: true,
    image_mean: HALF,
    image_processor_type: "ViTImageProcessor",
    image_std: HALF,
    resample: 2,
    rescale_factor: 0.00392156862745098,
    size: { height: 224, width: 224 },
  };
  assert.deepEqual(read(config), wanted);
  const { image_processor_type: _, do_rescale: __, rescale_factor: ___, ...rest } = config;
  assert.deepEqual(
    read({ ...rest, feature_extractor_type: "ViTFeatureExtractor", size: 224 }),
    wanted,
  );
});

Deno.test("preprocessingFromConfig() reads CLIP's: shortest side, centre crop, bicubic", () => {
  const config = {
    crop_size: { height: 224, width: 224 },
    do_center_crop: true,
    do_convert_rgb: true,
    do_resize: true,
    image_mean: [0.48145466, 0.4578275, 0.40821073],
    image_processor_type: "CLIPImageProcessor",
    image_std: [0.26862954, 0.26130258, 0.27577711],
    resample: 3,
    size: { shortest_edge: 224 },
  };
  const found = read(config);
  assert.deepEqual(found, {
    ...DEFAULTS,
    resize: { shortest: 224, rounding: "truncate" },
    crop: { width: 224, height: 224, rounding: "truncate" },
    interpolation: "bicubic",
    mean: config.image_mean,
    std: config.image_std,
  });
  assert.deepEqual(read({ ...config, size: 224, crop_size: 224 }), found);
  assert.equal(read({ ...config, do_center_crop: false }).crop, undefined);
  assert.equal(read({ ...config, do_resize: false }).resize, undefined);
});

Deno.test("preprocessingFromConfig() takes a number as the processor does", () => {
  const resize = (config: object) => read(config).resize;
  assert.deepEqual(resize({ image_processor_type: "DeiTImageProcessor", size: 256 }), {
    width: 256,
    height: 256,
  });
  const shortest = { shortest: 256, rounding: "truncate" };
  assert.deepEqual(
    resize({ image_processor_type: "MobileNetV2ImageProcessor", size: 256 }),
    shortest,
  );
  assert.deepEqual(resize({ size: 256, default_to_square: false }), shortest);
});

Deno.test("preprocessingFromConfig() knows the ways of single processors", () => {
  const convNext = { image_processor_type: "ConvNextImageProcessor", crop_pct: 0.875 };
  assert.deepEqual(read({ ...convNext, size: { shortest_edge: 224 } }), {
    ...DEFAULTS,
    resize: { shortest: 256, rounding: "truncate" },
    crop: { width: 224, height: 224, rounding: "truncate" },
  });
  assert.deepEqual(read({ ...convNext, size: { shortest_edge: 384 } }).resize, {
    width: 384,
    height: 384,
  });
  const levit = { image_processor_type: "LevitImageProcessor", size: { shortest_edge: 224 } };
  assert.deepEqual(read(levit).resize, { shortest: 256, rounding: "truncate" });
  const efficientNet = {
    image_processor_type: "EfficientNetImageProcessor",
    image_mean: 0.5,
    image_std: 0.25,
    include_top: true,
    rescale_offset: false,
  };
  assert.equal(read(efficientNet).std, 0.0625);
  assert.equal(read({ do_flip_channel_order: true }).channelOrder, "BGR");
});

Deno.test("preprocessingFromConfig() folds rescaling into scale and mean", () => {
  const scale = (config: object) => {
    const { scale, mean } = read(config);
    return [scale, mean];
  };
  assert.deepEqual(scale({ do_rescale: false }), [1, 0]);
  assert.deepEqual(scale({ rescale_factor: 1 / 127.5, rescale_offset: true }), [1 / 127.5, 1]);
  assert.deepEqual(scale({ do_normalize: false, image_mean: HALF, image_std: HALF }), [1 / 255, 0]);
});

Deno.test("preprocessingFromConfig() names what it can't do", () => {
  assert.throws(
    () => read({ do_pad: true, size_divisor: 32, do_resize: true, do_thumbnail: false }),
    /"preprocessor_config.json".*unsupported do_pad true, size_divisor 32\./,
  );
  assert.throws(
    () => read({ image_processor_type: "PoolFormerImageProcessor", crop_pct: 0.95 }),
    /unsupported crop_pct 0\.95/,
  );
  assert.throws(() => read({ size: { longest_edge: 800 } }), /size: /);
  assert.throws(() => read({ resample: 9 }), /resample: /);
  assert.throws(() => read({ do_normalize: true, image_mean: HALF }), /no image_std/);
  assert.throws(() => read([]), /found Invalid input/);
});
