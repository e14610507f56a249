/** Cloudflare's workerd: the whole handler, and the small one for the edge. */
import assert from "node:assert/strict";
import { serveMeasured } from "../../../build/isolate_memory.ts";
import { stopBundling } from "../../../build/bundle.ts";
import { buildOnce } from "../../../build/cached.ts";
import { buildWorkers, EDGE_FOLDER, WORKERD_FOLDER } from "../../../build/workers.ts";
import { readPlim } from "../../../pipeline/statistics/plim.ts";
import { inFolder, runCommand } from "../../support/cli.ts";
import { CALIBRATION, DEMO_MODEL } from "../../support/demo.ts";
import {
  bytesOf,
  demoForm,
  demoOptions,
  form,
  problemOf,
  quantizeDemo,
} from "../../support/requests.ts";
import { memoryOf, serveEdge, serveWorkerd } from "../../support/servers.ts";
import { sendSmall, smallRequest } from "../../support/small_requests.ts";

const options = { sanitizeOps: false, sanitizeResources: false };

async function build(): Promise<void> {
  await buildOnce(new URL(".stamp", EDGE_FOLDER), buildWorkers);
  await stopBundling();
}

Deno.test(
  "workerd calibrates and quantizes, with the bytes of the command line",
  options,
  async () => {
    await build();
    await using server = await serveWorkerd(WORKERD_FOLDER.pathname, { PLIMSOLL_TOKEN: "secret" });
    const headers = { authorization: "Bearer secret" };
    await inFolder(async (folder) => {
      const run = await runCommand(...quantizeDemo(folder));
      assert.equal(run.code, 0, run.error);
      const expected = await Deno.readFile(`${folder}/statistics.plim`);
      const init = async () => ({ method: "POST", body: await demoForm(), headers });
      const statistics = await bytesOf(
        await fetch(`${server.url}v1/calibrate?${await demoOptions()}`, await init()),
      );
      assert.deepEqual(statistics, expected);

      const events = await fetch(
        `${server.url}v1/quantize?${await demoOptions({ result: "all" })}`,
        {
          ...await init(),
          headers: { ...headers, accept: "application/x-ndjson" },
        },
      );
      const lines = (await events.text()).trimEnd().split("\n").map((line) => JSON.parse(line));
      assert.ok(lines.some(({ event }) => event === "progress"));
      assert.equal(lines.at(-1).event, "done");
      for (const name of ["model.onnx", "manifest.json"]) {
        const pieces = lines.filter((line) => line.event === "data" && line.name === name);
        const whole = atob(pieces.map(({ base64 }) => base64).join(""));
        const bytes = Uint8Array.from(whole, (char) => char.charCodeAt(0));
        assert.deepEqual(bytes, await Deno.readFile(`${folder}/${name}`), name);
      }
    });
    const refused = await fetch(`${server.url}v1/calibrate`, { method: "POST", body: "x" });
    assert.equal(refused.status, 401);
    await problemOf(refused);
  },
);

Deno.test(
  "workerd calibrates the demo within the 128 MB that Cloudflare charges an isolate for",
  options,
  async () => {
    await build();
    await inFolder(async (folder) => {
      const [samples, out] = [1000, `${folder}/statistics.plim`];
      const run = await runCommand(
        ...["calibrate", "--model", `${Deno.cwd()}/${DEMO_MODEL}`],
        ...["--data", `${Deno.cwd()}/${CALIBRATION}`, "--samples", `${samples}`, "--out", out],
      );
      assert.equal(run.code, 0, run.error);
      const expected = await Deno.readFile(out);
      // The default batch is 8, which is also the largest that this worker takes.
      for (const batch of ["1", "8"]) {
        await using server = await serveMeasured(new URL("workerd.capnp", WORKERD_FOLDER));
        const query = await demoOptions({ samples: `${samples}`, batch });
        const response = await fetch(`${server.url}v1/calibrate?${query}`, {
          ...{ method: "POST", body: await demoForm() },
        });
        assert.deepEqual(await bytesOf(response), expected, `batch ${batch}`);
        // The whole way, in the same isolate.
        const quantized = await demoOptions({ batch, result: "all" });
        await bytesOf(
          await fetch(`${server.url}v1/quantize?${quantized}`, {
            ...{ method: "POST", body: await demoForm() },
          }),
        );
        const { chargedBytes, looks } = await server.peak();
        assert.ok(looks > 20, `${looks} looks`);
        assert.ok(chargedBytes < 128e6, `${chargedBytes} bytes with batch ${batch}`);
      }
    });
  },
);

Deno.test(
  "clients that leave workerd give their places back, answered or not",
  options,
  async () => {
    await build();
    await using server = await serveWorkerd(WORKERD_FOLDER.pathname);
    const query = await demoOptions();
    const form = await demoForm();
    await Promise.all(Array.from({ length: 20 }, async (_, i) => {
      const signal = AbortSignal.timeout(3 + 12 * i);
      const headers = { accept: i % 3 === 0 ? "application/x-ndjson" : "*/*" };
      const sent = i % 2 === 0
        ? sendSmall(server.url, smallRequest(i), { signal, headers })
        : fetch(`${server.url}v1/calibrate?${query}`, {
          method: "POST",
          body: form,
          signal,
          headers,
        });
      await sent.then((response) => response.text()).catch(() => {});
    }));
    const places = async () => {
      const { active, waiting } = await (await fetch(`${server.url}health`)).json();
      return active + waiting;
    };
    // Some are worked for all the same: that they have gone shows when they are written to.
    for (let i = 0; await places() > 0; i++) {
      assert.ok(i < 300, "places are kept");
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    await bytesOf(await sendSmall(server.url, smallRequest(0)));
  },
);

Deno.test("workerd decodes images with the image core", options, async () => {
  await build();
  await using server = await serveWorkerd(WORKERD_FOLDER.pathname);
  // A data set of one image that has to be decoded and resized to the 28 × 28 of the demo.
  const gif = atob("R0lGODlhAQABAPAAAP8AAP///yH5BAAAAAAALAAAAAABAAEAAAICRAEAOw==");
  const image = Uint8Array.from(gif, (char) => char.charCodeAt(0));
  const { packTar } = await import("modern-tar");
  const tar = await packTar([{
    header: { name: "a.gif", size: image.length, type: "file" },
    body: image,
  }]);
  const query = new URLSearchParams({
    preprocess: JSON.stringify({ resize: { width: 28, height: 28 }, grayscale: true }),
  });
  const body = await form({ model: DEMO_MODEL, samples: new Uint8Array(tar) });
  const bytes = await bytesOf(
    await fetch(`${server.url}v1/calibrate?${query}`, { method: "POST", body }),
  );
  assert.equal((await readPlim(bytes, "statistics")).data.samples, 1);
});

Deno.test(
  "the edge searches and emits without WebAssembly, with 32 MiB of JavaScript heap and less than 128 MB in all",
  options,
  async () => {
    await build();
    const files = Array.from(Deno.readDirSync(EDGE_FOLDER), ({ name }) => name);
    assert.deepEqual(files.filter((name) => name.endsWith(".wasm")), []);
    const script = await Deno.readFile(new URL("worker.js", EDGE_FOLDER));
    assert.ok(script.length < 600_000, `${script.length} bytes`);
    await using server = await serveEdge();
    await inFolder(async (folder) => {
      const run = await runCommand(...quantizeDemo(folder, 16));
      assert.equal(run.code, 0, run.error);
      // From statistics alone, which hold no more of the preprocessing than its hash, as `search` does.
      const parts = { model: DEMO_MODEL, statistics: `${folder}/statistics.plim` };
      await runCommand(
        ...["search", "--statistics", parts.statistics, "--model", DEMO_MODEL],
        ...["--out", `${folder}/searched.json`],
      );
      for (const [result, file] of [["model", "model.onnx"], ["manifest", "searched.json"]]) {
        const response = await fetch(`${server.url}v1/quantize?result=${result}`, {
          ...{ method: "POST", body: await form(parts) },
        });
        assert.deepEqual(await bytesOf(response), await Deno.readFile(`${folder}/${file}`), file);
      }
    });
    // Of it some 55 MB are workerd's own, which no isolate is charged for.
    const { peak } = await memoryOf(server.pid);
    assert.ok(peak < 128e6 + 55e6, `${peak} bytes`);
    const gone = await fetch(`${server.url}v1/calibrate`, { method: "POST", body: "x" });
    assert.equal(gone.status, 404);
    await problemOf(gone);
  },
);
