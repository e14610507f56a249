/**
 * What a queue costs: the demo's 1,000 images ten times, by one machine, by one worker and by two.
 *
 *     deno run -A tests/bench/queue_bench.ts
 */
// deno-lint-ignore-file no-console
import { finish, sameFile, withServer } from "../support/queue_runs.ts";
import { type Command, startRedis, startWorker, stopWorkers } from "../support/queue_servers.ts";

const TIMES = 10;

const packed = await Deno.open("data/fashion/calibration-images-idx3-ubyte.gz");
const images = new Uint8Array(
  await new Response(packed.readable.pipeThrough(new DecompressionStream("gzip"))).arrayBuffer(),
);
const HEADER = 16;
const many = new Uint8Array(HEADER + TIMES * (images.length - HEADER));
many.set(images.subarray(0, HEADER));
new DataView(many.buffer).setUint32(4, TIMES * new DataView(images.buffer).getUint32(4));
for (let i = 0; i < TIMES; i++) {
  many.set(images.subarray(HEADER), HEADER + i * (images.length - HEADER));
}

await withServer(startRedis, async ({ url }, folder) => {
  await Deno.writeFile(`${folder}/many-images.idx3-ubyte`, many);
  const calibrate = [
    ...["calibrate", "--model", "data/fashion/model.onnx", "--quiet"],
    ...["--data", `${folder}/many-images.idx3-ubyte`],
  ];
  const timed = async (args: string[]) => {
    const start = performance.now();
    await finish(args);
    return (performance.now() - start) / 1000;
  };
  const alone = await timed([...calibrate, "--out", `${folder}/alone`]);
  console.log(`one machine          ${alone.toFixed(1)} s`);
  const place = ["--queue", url, "--results", `${folder}/results`];
  const workers: Command[] = [];
  let one = 0;
  for (const count of [1, 2]) {
    workers.push(await startWorker(["--silence", "60", ...place]));
    // The second time workers have their model: what is measured is the queue.
    for (const round of ["first", "again"]) {
      const out = `${folder}/${count}${round}`;
      const seconds = await timed([...calibrate, ...place, "--out", out]);
      await sameFile(`${folder}/alone`, out);
      if (count === 1) one = seconds;
      console.log(
        `${count} worker${count === 1 ? " " : "s"}, ${round}      ${seconds.toFixed(1)} s, ${
          (seconds / one).toFixed(2)
        } of one worker, ${(seconds / alone).toFixed(2)} of one machine`,
      );
    }
  }
  const shards = [...workers[0].text.matchAll(/shard \d+ of (\d+)/g)];
  console.log(`${shards.at(-1)?.[1]} shards`);
  await stopWorkers(workers);
});
