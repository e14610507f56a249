/**
 * Times images to tensors, after checking that the answers are right:
 *
 *     deno run -A tests/bench/image_bench.ts [folder of photographs]
 *
 * One call each: decode, resize the short side to 256, crop 224, normalise. Photographs come from ../shared/data, which
 * is not part of the project; without it the small images of the tests are timed.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import assert from "node:assert/strict";
import { createImageCore, type ImageCore, type PrepareOptions } from "../../wasm/image.ts";
import { sharedPath } from "../support/shared.ts";

const OPTIONS: PrepareOptions = {
  resize: { shortest: 256 },
  crop: { width: 224, height: 224 },
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
};
const REPEATS = 9;
/** The goal of issue 6, for a photograph of imagenet-sample. */
const GOAL_MS = 6;

/** Files of a folder, by name. */
function readFolder(path: string, limit: number): [string, Uint8Array][] {
  const names = Array.from(Deno.readDirSync(path), ({ name }) => name).sort();
  return names.slice(0, limit).map((name) => [name, Deno.readFileSync(`${path}/${name}`)]);
}

/** Images of the tests whose pixels must be Pillow's. */
function checkAnswers(core: ImageCore): void {
  const folder = new URL("../wasm/image/", import.meta.url);
  const { images } = JSON.parse(Deno.readTextFileSync(new URL("images.json", folder)));
  for (const name of ["png_rgb.png", "webp_lossy.webp", "gif_animated.gif"]) {
    const bytes = Deno.readFileSync(new URL(`images/${name}`, folder));
    for (const { options, mean } of images[name].cases) {
      const { data } = core.prepare(bytes, { ...options, scale: 1, layout: "NHWC" });
      mean.forEach((wanted: number, c: number) => {
        const sum = data.reduce((sum, value, i) => i % 3 === c ? sum + value : sum, 0);
        assert.ok(Math.abs(sum / (data.length / 3) - wanted) < 1e-4, `${name} ${options}`);
      });
    }
  }
}

/** Median time of an image, in ms, and of the whole list an average. */
function time(core: ImageCore, files: readonly [string, Uint8Array][], options: PrepareOptions) {
  const medians = files.map(([, bytes]) => {
    const times = Array.from({ length: REPEATS }, () => {
      const start = performance.now();
      core.prepare(bytes, options);
      return performance.now() - start;
    });
    return times.sort((a, b) => a - b)[REPEATS >> 1];
  });
  return medians.reduce((sum, each) => sum + each, 0) / medians.length;
}

async function main([folder]: readonly string[]): Promise<void> {
  const core = await createImageCore();
  checkAnswers(core);
  const shared = sharedPath("data");
  const folders = folder !== undefined
    ? [folder]
    : shared !== undefined
    ? [`${shared}/imagenet-sample`, `${shared}/photos`]
    : [new URL("../wasm/image/images", import.meta.url).pathname];
  for (const path of folders) {
    const files = readFolder(path, 60);
    for (const [, bytes] of files) core.prepare(bytes, OPTIONS);
    const whole = time(core, files, OPTIONS);
    const decoded = time(core, files, { crop: { width: 1, height: 1 } });
    const kilobytes = files.reduce((sum, [, { length }]) => sum + length, 0) / files.length / 1000;
    console.log(
      `${path}: ${files.length} files of ${kilobytes.toFixed(0)} kB, ` +
        `${whole.toFixed(2)} ms an image, of which decoding ${decoded.toFixed(2)}` +
        (path.endsWith("imagenet-sample") ? ` (goal: ${GOAL_MS})` : ""),
    );
  }
  console.log(`${core.memoryBytes / 2 ** 20} MiB of WebAssembly memory`);
}

if (import.meta.main) await main(Deno.args);
