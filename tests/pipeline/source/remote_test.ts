/** Servers that are slow, busy, or break off: what is asked again, what goes on, and what is given up. */
import assert from "node:assert/strict";
import { openRemote, type Patience } from "../../../pipeline/source/remote.ts";

const BYTES = Uint8Array.from({ length: 200_000 }, (_, i) => i * 31 % 251);
/** Short, so that tests are. */
const PATIENCE: Patience = { answerMs: 300, stallMs: 300, attempts: 4, pauseMs: 5 };

type Answer = (
  request: { range: string | null; version: string | null; number: number; signal?: AbortSignal },
) => Response | Promise<Response>;

/** A server as a function: no ports, no waiting. */
function fetcher(answer: Answer) {
  const ranges: (string | null)[] = [];
  const fetch = async (_: string, init?: RequestInit) => {
    const headers = new Headers(init?.headers);
    ranges.push(headers.get("range"));
    return await answer({
      range: headers.get("range"),
      version: headers.get("if-range"),
      number: ranges.length,
      signal: init?.signal ?? undefined,
    });
  };
  return { fetch, ranges };
}

/** A body that gives so many bytes from `from` on, and then ends, fails or says nothing more. */
function body(from: number, count: number, end: "close" | "fail" | "stall" = "close") {
  let at = from;
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull: (controller) => {
      if (at < from + count) {
        const next = Math.min(at + 10_000, from + count);
        controller.enqueue(BYTES.slice(at, next));
        at = next;
      } else if (end === "close") controller.close();
      else if (end === "fail") controller.error(new TypeError("connection reset"));
      else return new Promise(() => {});
    },
  }, { highWaterMark: 0 });
}

function part(range: string | null, count?: number, end?: "close" | "fail" | "stall") {
  const from = Number(/^bytes=(\d+)-/.exec(range ?? "")?.[1] ?? 0);
  const to = Number(/-(\d+)$/.exec(range ?? "")?.[1] ?? BYTES.length - 1);
  return new Response(body(from, Math.min(count ?? Infinity, to + 1 - from), end), {
    status: 206,
    headers: { "content-range": `bytes ${from}-${to}/${BYTES.length}`, "etag": '"v1"' },
  });
}

async function read(answer: Answer, patience = PATIENCE) {
  const { fetch, ranges } = fetcher(answer);
  const { stream } = await openRemote({ fetch }, "http://host/file", patience);
  return { bytes: new Uint8Array(await new Response(stream).arrayBuffer()), ranges };
}

for (const status of [408, 429, 500, 502, 503]) {
  Deno.test(`status ${status} is asked again, and others aren't`, async () => {
    const { bytes, ranges } = await read(({ range, number }) =>
      number < 3 ? new Response("busy", { status }) : part(range)
    );
    assert.deepEqual(bytes, BYTES);
    assert.equal(ranges.length, 3);
  });
}

Deno.test("a server that stays busy is given up with its status, and one that has no file at once", async () => {
  await assert.rejects(
    read(() => new Response("", { status: 503 })),
    /While fetching "http:\/\/host\/file": wanted a file, found status 503, 4 times\./,
  );
  const { fetch, ranges } = fetcher(() => new Response("", { status: 404 }));
  await assert.rejects(openRemote({ fetch }, "http://host/file", PATIENCE), /status 404/);
  assert.equal(ranges.length, 1);
});

Deno.test("what a server asks to wait is waited", async () => {
  const started = performance.now();
  await read(({ range, number }) =>
    number === 1 ? new Response("", { status: 429, headers: { "retry-after": "1" } }) : part(range)
  );
  assert.ok(performance.now() - started >= 1000);
});

Deno.test("broken and silent connections go on where they broke, under the same version", async () => {
  for (const end of ["fail", "stall", "close"] as const) {
    const versions: (string | null)[] = [];
    const { bytes, ranges } = await read(({ range, version }) => {
      versions.push(version);
      return part(range, 70_000, end);
    });
    assert.deepEqual(bytes, BYTES);
    assert.deepEqual(ranges, ["bytes=0-", "bytes=70000-", "bytes=140000-"]);
    assert.deepEqual(versions, [null, '"v1"', '"v1"']);
  }
});

Deno.test("a file that changed meanwhile is refused, not put together", async () => {
  await assert.rejects(
    read(({ range, number }) => number === 1 ? part(range, 70_000, "fail") : new Response(BYTES)),
    /wanted bytes 70000-199999\/200000, found status 200, no range.*may have changed/,
  );
});

Deno.test("without ranges nothing can go on, and says so", async () => {
  await assert.rejects(
    read(() => new Response(body(0, 70_000, "fail"))),
    /wanted data to its end, found connection reset/,
  );
});

Deno.test("no answer ends with a message, and so does a stall for ever", async () => {
  const never = ({ signal }: { signal?: AbortSignal }) =>
    new Promise<Response>((_, reject) =>
      signal?.addEventListener("abort", () => reject(signal.reason), { once: true })
    );
  const once = { ...PATIENCE, answerMs: 50, stallMs: 50, attempts: 2 };
  await assert.rejects(read(never, once), /wanted an answer, found none within 0.05 s, 2 times/);
  await assert.rejects(
    read(({ range }) => part(range, 0, "stall"), once),
    /found nothing for 0.05 s, 2 times/,
  );
});

Deno.test("ranges are asked again, too, and cancelling ends the pauses", async () => {
  const { fetch } = fetcher(({ range, number }) => {
    if (number === 1) return part(range);
    return number % 2 === 0 ? part(range, 5, "fail") : part(range);
  });
  const file = await openRemote({ fetch }, "http://host/file", PATIENCE);
  assert.deepEqual(new Uint8Array(await file.slice!(500, 700)), BYTES.slice(500, 700));
  await file.stream.cancel();

  const busy = fetcher(({ range, number }) =>
    number === 1 ? part(range, 0, "fail") : new Response("", { status: 503 })
  );
  const patient = { ...PATIENCE, pauseMs: 60_000 };
  const { stream, close } = await openRemote(busy, "http://host/file", patient);
  const reading = new Response(stream).arrayBuffer();
  setTimeout(close, 20);
  await assert.rejects(reading, /Closed/);
});
