/** Data from a server of this machine: with ranges, without, and one that misbehaves. */
import assert from "node:assert/strict";
import { denoHost } from "../../../apps/hosts/deno.ts";
import { openSamples } from "../../../pipeline/source/open_samples.ts";
import { settle } from "../../support/streams.ts";

const FIXTURES = new URL("fixtures/", import.meta.url).pathname;

interface Served {
  url: string;
  /** Range headers and paths of the requests. */
  requests: { path: string; range: string | null }[];
}

/** Serves the fixtures while a test runs. */
async function serving(
  answer: (bytes: Uint8Array<ArrayBuffer>, range: string | null, requests: number) => Response,
  test: (served: Served) => Promise<void>,
): Promise<void> {
  const requests: Served["requests"] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    const path = new URL(request.url).pathname;
    const range = request.headers.get("range");
    requests.push({ path, range });
    try {
      return answer(Deno.readFileSync(FIXTURES + path), range, requests.length);
    } catch {
      return new Response("no", { status: 404, statusText: "Not Found" });
    }
  });
  try {
    await test({ url: `http://127.0.0.1:${server.addr.port}`, requests });
  } finally {
    await server.shutdown();
  }
}

/** As servers of files do. */
function withRanges(bytes: Uint8Array<ArrayBuffer>, range: string | null): Response {
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(range ?? "") ?? [];
  if (from === undefined) return new Response(bytes);
  const end = to === "" ? bytes.length - 1 : Math.min(Number(to), bytes.length - 1);
  return new Response(bytes.slice(Number(from), end + 1), {
    status: 206,
    headers: { "content-range": `bytes ${from}-${end}/${bytes.length}` },
  });
}
const whole = (bytes: Uint8Array<ArrayBuffer>) => new Response(bytes);

const BY_RANGES = ["zstd.parquet", "snappy.parquet", "named.npz", "stored.zip", "deflated.zip"];
const AS_STREAMS = ["webdataset.tar", "webdataset-gnu.tar.gz", "little-f4.npy", "piped.zip"];

for (const name of [...BY_RANGES, ...AS_STREAMS]) {
  Deno.test(`openSamples() gives ${name} from a server as from a file`, async () => {
    const file = await openSamples(denoHost, FIXTURES + name);
    const expected = (await Array.fromAsync(file.samples)).map(({ id: _, ...sample }) => sample);
    await serving(withRanges, async ({ url, requests }) => {
      const source = await openSamples(denoHost, `${url}/${name}?key=1`);
      assert.equal(source.identity, file.identity);
      assert.equal(source.count, file.count);
      const all = (await Array.fromAsync(source.samples)).map(({ id: _, ...sample }) => sample);
      assert.deepEqual(all, expected);
      assert.equal(requests[0].range, "bytes=0-");
      if (AS_STREAMS.includes(name) && name !== "piped.zip") assert.equal(requests.length, 1);
    });
  });
}

for (const name of AS_STREAMS) {
  Deno.test(`openSamples() gives ${name} from a server that knows no ranges`, async () => {
    await serving(whole, async ({ url, requests }) => {
      const { samples } = await openSamples(denoHost, `${url}/${name}`);
      assert.equal((await Array.fromAsync(samples)).length, 4);
      assert.equal(requests.length, 1);
    });
  });
}

Deno.test("openSamples() of a format that needs ranges refuses a server without", async () => {
  await serving(whole, async ({ url }) => {
    for (const name of ["zstd.parquet", "named.npz"]) {
      await assert.rejects(openSamples(denoHost, `${url}/${name}`), /a server that knows Range/);
    }
  });
});

Deno.test("openSamples() says what a server says, and that nobody answers", async () => {
  await serving(whole, async ({ url }) => {
    await assert.rejects(openSamples(denoHost, `${url}/nothing.tar`), /found status 404 Not Found/);
  });
  await assert.rejects(openSamples(denoHost, "http://127.0.0.1:1/x.tar"), /wanted an answer/);
});

Deno.test("a server that sends other ranges than asked for is refused", async () => {
  const lying = (bytes: Uint8Array<ArrayBuffer>, range: string | null, request: number) =>
    request === 1 ? withRanges(bytes, range) : withRanges(bytes, "bytes=1-9");
  await serving(lying, async ({ url }) => {
    await assert.rejects(
      async () => Array.fromAsync((await openSamples(denoHost, `${url}/stored.zip`)).samples),
      /PlimsollError.*wanted bytes \d+-\d+\/827, found status 206, bytes 1-9/,
    );
  });
});

Deno.test("cancelling closes the connection, while it waits, too", async () => {
  let isClosed = false;
  let sent = 0;
  const slow = () =>
    new Response(
      new ReadableStream({
        pull: async (controller) => {
          // The head comes, then nothing.
          if (sent++ < 2) controller.enqueue(new Uint8Array(65536));
          else await new Promise(() => {});
        },
        cancel: () => void (isClosed = true),
      }, { highWaterMark: 0 }),
    );
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, slow);
  const url = `http://127.0.0.1:${server.addr.port}/x.raw`;
  const source = await openSamples(denoHost, url, { inputShape: [65536] });
  const reader = source.samples.getReader();
  const waiting = reader.read();
  waiting.catch(() => {});
  await settle();
  await reader.cancel("left");
  for (let i = 0; i < 20 && !isClosed; i++) await settle();
  assert.ok(isClosed);
  await server.shutdown();
});
