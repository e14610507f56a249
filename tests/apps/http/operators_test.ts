/** What operators set and see: who may ask, measures, ids, log, the end. */
import assert from "node:assert/strict";
import { createEdgeHandler } from "../../../apps/http/edge.ts";
import { createHandler, type FullHandlerOptions, type LogEntry } from "../../../apps/http/mod.ts";
import { serverSettings, settingsFrom } from "../../../apps/http/settings.ts";
import { problemOf } from "../../support/requests.ts";
import { smallRequest } from "../../support/small_requests.ts";

const ask = (options: FullHandlerOptions, url: string, init: RequestInit = {}) =>
  createHandler(options).fetch(new Request(url, init));
/** What gets past the door is of the wrong media type. */
const PASSED = 415;
const POST = { method: "POST", body: "x" };

for (
  const [url, options, status] of [
    ["http://localhost:8000", {}, PASSED],
    ["http://127.0.0.1:8000", {}, PASSED],
    ["http://[::1]:8000", {}, PASSED],
    ["http://192.168.1.7:8000", {}, PASSED],
    ["http://evil.example:8000", {}, 403],
    ["http://localhost.evil.example:8000", {}, 403],
    ["http://127.0.0.1.evil.example", {}, 403],
    ["http://mine.example:8000", { hosts: ["mine.example"] }, PASSED],
    ["http://evil.example:8000", { hosts: ["mine.example"] }, 403],
    ["http://evil.example:8000", { hosts: ["*"] }, PASSED],
    ["http://evil.example:8000", { token: "secret" }, 401],
  ] as const
) {
  Deno.test(`${url} with ${JSON.stringify(options)} is answered ${status}`, async () => {
    const response = await ask(options, `${url}/v1/search`, POST);
    assert.equal(response.status, status);
    if (status === 403) assert.match((await problemOf(response)).detail, /PLIMSOLL_HOSTS/);
    if (status !== 401) {
      const edge = createEdgeHandler(options);
      assert.equal((await edge.fetch(new Request(`${url}/v1/search`, POST))).status, status);
    }
  });
}

Deno.test("a Host that is not the address's is refused, and probes are answered whatever it is", async () => {
  const headers = { host: "evil.example" };
  assert.equal((await ask({}, "http://localhost/v1/search", { ...POST, headers })).status, 403);
  assert.equal((await ask({}, "http://localhost/metrics", { headers })).status, 403);
  for (const path of ["/health", "/ready", "/openapi.json"]) {
    assert.equal((await ask({}, `http://pod${path}`)).status, 200);
  }
});

Deno.test("pages of others may ask only where a setting says so", async () => {
  const url = "http://localhost:8000/v1/search";
  const from = (origin: string, options: FullHandlerOptions = {}, init: RequestInit = POST) =>
    ask(options, url, { ...init, headers: { ...init.headers as Record<string, string>, origin } });
  assert.equal((await from("http://localhost:8000")).status, PASSED);
  for (const origin of ["http://localhost:3000", "https://evil.example", "null"]) {
    const response = await from(origin);
    assert.equal(response.status, 403);
    assert.equal(response.headers.get("access-control-allow-origin"), null);
    assert.match((await problemOf(response)).detail, /PLIMSOLL_ORIGINS/);
  }
  const origins = ["https://mine.example"];
  const response = await from("https://mine.example", { origins });
  assert.equal(response.status, PASSED);
  assert.equal(response.headers.get("access-control-allow-origin"), "https://mine.example");
  assert.equal(response.headers.get("vary"), "origin");
  const preflight = {
    method: "OPTIONS",
    headers: { "access-control-request-method": "POST" },
  };
  const allowed = await from("https://mine.example", { origins, token: "secret" }, preflight);
  assert.equal(allowed.status, 204);
  assert.match(allowed.headers.get("access-control-allow-headers")!, /authorization/);
  assert.equal((await from("https://evil.example", { origins }, preflight)).status, 403);
});

for (
  const options of [
    { override: '{"match":{"node":"/(a+)+$/"},"quantize":false}' },
    { override: '{"match":{"operator":["Gemm","/G.*/"]},"quantize":false}' },
    {
      target: JSON.stringify({
        ...{ schemaVersion: 2, name: "mine", extends: "default" },
        overrides: [{ match: { tensor: "/(x+x+)+y/" }, quantize: false }],
      }),
    },
  ]
) {
  Deno.test(`no expression of a client is tried: ${JSON.stringify(options)}`, async () => {
    const { path, model, samples } = smallRequest(0);
    const body = new FormData();
    body.append("model", new Blob([model]), "m");
    body.append("samples", new Blob([samples]), "s");
    const url = `http://localhost/${path}&${new URLSearchParams(Object.entries(options))}`;
    const response = await ask({}, url, { method: "POST", body });
    assert.equal(response.status, 400);
    assert.match((await problemOf(response)).detail, /found the regular expression/);
  });
}

Deno.test("an id that is sane is taken over, any other replaced, and the log has it", async () => {
  const log: LogEntry[] = [];
  const handler = createHandler({ onLog: (entry) => void log.push(entry) });
  const send = async (id?: string) => {
    const headers = new Headers(id === undefined ? [] : [["x-request-id", id]]);
    const response = await handler.fetch(
      new Request("http://localhost/v1/search?x=secret", { ...POST, headers }),
    );
    await response.text();
    return response.headers.get("x-request-id")!;
  };
  assert.equal(await send("abc-1.2"), "abc-1.2");
  for (const id of [undefined, 'a"b', "x".repeat(200), "a b"]) {
    assert.match(await send(id), /^[\da-f-]{36}$/);
  }
  const [{ id, path, method, status, problem, level }] = log;
  assert.deepEqual(
    { id, path, method, status, problem, level },
    {
      ...{ id: "abc-1.2", path: "/v1/search", method: "POST" },
      ...{ status: 400, problem: "usage", level: "info" },
    },
  );
  assert.equal(log.length, 5);
  await (await handler.fetch(new Request("http://localhost/health"))).text();
  assert.equal(log.length, 5, "probes would drown the rest");
});

Deno.test("measures are in Prometheus' text format, and want the token", async () => {
  const handler = createHandler({ token: "secret", residentBytes: () => 5 });
  const get = (headers: Record<string, string> = {}) =>
    handler.fetch(new Request("http://localhost/metrics", { headers }));
  const refused = await get();
  assert.equal(refused.status, 401);
  await refused.text();
  const response = await get({ authorization: "Bearer secret" });
  assert.match(response.headers.get("content-type")!, /^text\/plain; version=0\.0\.4/);
  const text = await response.text();
  assert.match(text, /^plimsoll_requests_total\{operation="other",status="401"\} 1$/m);
  assert.match(text, /^plimsoll_problems_total\{problem="unauthorized"\} 1$/m);
  assert.match(text, /^process_resident_memory_bytes 5$/m);
  for (const line of text.trimEnd().split("\n")) {
    assert.match(line, /^(# (HELP|TYPE) \w+ .+|\w+(\{(\w+="[^"]*",?)+\})? [\d.e+-]+)$/);
  }
});

Deno.test("a handler that is closed is not ready, alive, and takes nothing more", async () => {
  const handler = createHandler();
  const get = (path: string) => handler.fetch(new Request(`http://localhost${path}`));
  assert.deepEqual(await (await get("/ready")).json(), { status: "ready" });
  await handler.close();
  const response = await get("/ready");
  assert.equal(response.status, 503);
  assert.deepEqual(await response.json(), { status: "stopping" });
  assert.equal((await get("/health")).status, 200);
  const body = new FormData();
  const refused = await handler.fetch(
    new Request("http://localhost/v1/search", { method: "POST", body }),
  );
  assert.equal(refused.status, 503);
  assert.match((await problemOf(refused)).type, /:stopping$/);
});

Deno.test("settings of a server are read from variables, and wrong ones refused", () => {
  const from = (variables: Record<string, string>) => (name: string) => variables[name];
  const { hosts, origins } = settingsFrom(
    from({ PLIMSOLL_HOSTS: "A.example, b.example", PLIMSOLL_ORIGINS: "https://a.example" }),
  );
  assert.deepEqual([hosts, origins], [["a.example", "b.example"], ["https://a.example"]]);
  for (const origin of ["a.example", "https://a.example/", "https://a.example/path"]) {
    assert.throws(() => settingsFrom(from({ PLIMSOLL_ORIGINS: origin })), /PLIMSOLL_ORIGINS/);
  }
  const lines: string[] = [];
  const write = (line: string) => void lines.push(line);
  const { onLog } = serverSettings(from({}), write);
  onLog!({ time: "t", level: "info", event: "request", id: "a\nb" });
  assert.deepEqual(lines.map((line) => JSON.parse(line).id), ["a\nb"]);
  assert.equal(lines[0].indexOf("\n"), lines[0].length - 1);
  assert.equal(serverSettings(from({ PLIMSOLL_LOG: "none" }), write).onLog, undefined);
  assert.throws(() => serverSettings(from({ PLIMSOLL_LOG: "xml" }), write), /PLIMSOLL_LOG/);
});
