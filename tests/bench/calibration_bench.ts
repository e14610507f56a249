/**
 * What a calibration costs, as whole processes:
 *
 *     deno run -A tests/bench/calibration_bench.ts [photographs]
 *
 * - peak memory for 200 and for 4,000 samples of the demo's size: it must not grow;
 * - two workers against one, start-up apart, and what decoding and statistics take of the time, on photographs
 *   through EfficientNet-Lite0 (needs ../shared).
 *
 * Answers are checked: the statistics of two workers are those of one. Memory is read from /proc, so Linux only.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import assert from "node:assert/strict";
import { readPlim } from "../../pipeline/statistics/plim.ts";
import { uniform } from "../support/random.ts";
import { row } from "./measure.ts";

/** Most that peak memory may grow from 200 to 4,000 samples. */
const GROWTH_GOAL = 1.05;
/** Least that two workers must be faster than one, on two cores. */
const SPEED_GOAL = 1.7;
/** Rounds of the memory measurement: the garbage collector has moods. */
const ROUNDS = 3;

const folder = await Deno.makeTempDir();
// The process that computes, without the one that starts it.
const flags = ["--no-prompt", "--allow-read", "--allow-write", "--allow-env"];

/** Runs `calibrate` and measures the process. */
async function calibrate(
  ...args: string[]
): Promise<{ seconds: number; peakMiB: number; log: string }> {
  const start = performance.now();
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "--lock=deno.lock", ...flags, "main.ts", "calibrate", "--quiet", ...args],
    stdout: "null",
    stderr: "piped",
  }).spawn();
  let peakMiB = 0;
  let isOver = false;
  const ended = process.output().finally(() => isOver = true);
  while (!isOver) {
    const status = await Deno.readTextFile(`/proc/${process.pid}/status`).catch(() => "");
    peakMiB = Math.max(peakMiB, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const { success, stderr } = await ended;
  const log = new TextDecoder().decode(stderr);
  assert.ok(success, log);
  return { seconds: (performance.now() - start) / 1000, peakMiB, log };
}

/** An IDX file of random images of the demo's size. */
async function makeImages(count: number): Promise<string> {
  const random = uniform(count);
  const file = new Uint8Array(16 + count * 784);
  const view = new DataView(file.buffer);
  [0x803, count, 28, 28].forEach((value, i) => view.setUint32(4 * i, value));
  for (let i = 16; i < file.length; i++) file[i] = 256 * random();
  const path = `${folder}/random-images-idx3-ubyte`;
  await Deno.writeFile(path, file);
  return path;
}

const median = (values: number[]) => values.toSorted((a, b) => a - b)[values.length >> 1];
try {
  const data = await makeImages(4000);
  const demo = ["--model", "data/fashion/model.onnx", "--data", data, "--out", `${folder}/m.plim`];
  const peaks: Record<string, number[]> = { 200: [], 4000: [] };
  for (let round = 0; round < ROUNDS; round++) {
    for (const [count, list] of Object.entries(peaks)) {
      list.push((await calibrate(...demo, "--samples", count)).peakMiB);
    }
  }
  const [few, many] = [median(peaks[200]), median(peaks[4000])];
  console.log(row("peak memory, MiB", ["200 samples", "4,000", "ratio", "goal"]));
  console.log(row("demo", [
    ...[few.toFixed(0), many.toFixed(0), (many / few).toFixed(3)],
    `< ${GROWTH_GOAL}`,
  ]));

  const lite0 = "../shared/data/efficientnet-lite0/model.onnx";
  if (await Deno.stat(lite0).then(() => true, () => false)) {
    const count = Number(Deno.args[0] ?? 250);
    const few = Math.ceil(count / 5);
    const photographs = [
      ...["--model", lite0, "--data", "../shared/data/imagenet-sample"],
      ...["--resize", "256", "--crop", "224", "--scale", "1", "--mean", "127", "--std", "128"],
    ];
    const run = (workers: number, samples: number) =>
      calibrate(
        ...[...photographs, "--out", `${folder}/${workers}.plim`, "--workers", `${workers}`],
        ...["--samples", `${samples}`, "--verbose"],
      );
    const [fewInOne, fewInTwo] = [await run(1, few), await run(2, few)];
    const [one, two] = [await run(1, count), await run(2, count)];
    const [a, b] = [
      await Deno.readFile(`${folder}/1.plim`),
      await Deno.readFile(`${folder}/2.plim`),
    ];
    assert.deepEqual(b, a, "two workers give other statistics");
    assert.equal((await readPlim(a, "1.plim")).data.samples, count);
    console.log(
      `\nanswers: the bytes of two workers are those of one; ${count} photographs, Lite0\n`,
    );
    console.log(row("seconds", ["1 worker", "2 workers", "ratio", "goal"]));
    console.log(row("whole process", [
      ...[one.seconds.toFixed(1), two.seconds.toFixed(1), (one.seconds / two.seconds).toFixed(2)],
      "",
    ]));
    const beyond = [one.seconds - fewInOne.seconds, two.seconds - fewInTwo.seconds];
    console.log(row(`from ${few} to ${count} samples`, [
      ...beyond.map((seconds) => seconds.toFixed(1)),
      (beyond[0] / beyond[1]).toFixed(2),
      `> ${SPEED_GOAL}`,
    ]));
    console.log(row("peak memory, MiB", [one.peakMiB.toFixed(0), two.peakMiB.toFixed(0)]));
    console.log(`\n${one.log.trim()}`);
  } else console.log("photographs are skipped: ../shared is not there");
} finally {
  await Deno.remove(folder, { recursive: true });
}
