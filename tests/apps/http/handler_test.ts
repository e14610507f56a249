/** The fetch handler, without a server. */
import assert from "node:assert/strict";
import { Ajv2020 } from "ajv/dist/2020.js";
import { unpackTar } from "modern-tar";
import type { HandlerOptions } from "../../../apps/http/handler.ts";
import { createEdgeHandler } from "../../../apps/http/edge.ts";
import { createHandler } from "../../../apps/http/mod.ts";
import { canonicalJson } from "../../../core/canonical_json.ts";
import { parsePreprocessing } from "../../../tpc/recipe/preprocessing.ts";
import { runCommand } from "../../support/cli.ts";
import { CALIBRATION, DEMO_MODEL } from "../../support/demo.ts";
import {
  bytesOf,
  demoForm,
  demoOptions,
  form,
  problemOf,
  SAMPLES,
} from "../../support/requests.ts";

const ROOT = "http://localhost";

/** What the command line makes of the demo. */
const FOLDER = await Deno.makeTempDir({ prefix: "plimsoll " });
addEventListener("unload", () => Deno.removeSync(FOLDER, { recursive: true }));
let [STATISTICS, MANIFEST, MODEL, WHOLE_MANIFEST]: Uint8Array<ArrayBuffer>[] = [];

Deno.test.beforeAll(async () => {
  const [statistics, manifest, model] = ["s.plim", "m.json", "q.onnx"].map((name) =>
    `${FOLDER}/${name}`
  );
  const run = await runCommand("calibrate", "--samples", String(SAMPLES), "--out", statistics);
  assert.equal(run.code, 0, run.error);
  const files = ["--statistics", statistics, "--model", DEMO_MODEL];
  await runCommand("search", ...files, "--out", manifest);
  await runCommand("emit", "--manifest", manifest, "--out", model);
  [STATISTICS, MANIFEST, MODEL] = [statistics, manifest, model].map((path) =>
    Deno.readFileSync(path)
  );
  // Where samples came as images the manifest knows what they were before, which statistics don't.
  WHOLE_MANIFEST = await wholeManifest();
});

async function wholeManifest(): Promise<Uint8Array<ArrayBuffer>> {
  const manifest = JSON.parse(new TextDecoder().decode(MANIFEST));
  const file = JSON.parse(await Deno.readTextFile("data/fashion/preprocess.json"));
  const preprocessing = parsePreprocessing(file, "preprocess.json");
  return new TextEncoder().encode(
    canonicalJson({ ...manifest, recipe: { ...manifest.recipe, preprocessing } }),
  );
}

async function post(
  path: string,
  body: BodyInit | null,
  options: HandlerOptions & { headers?: Record<string, string>; edge?: boolean } = {},
): Promise<Response> {
  const { headers, edge, ...rest } = options;
  const handler = edge ? createEdgeHandler(rest) : createHandler(rest);
  return await handler.fetch(new Request(ROOT + path, { method: "POST", body, headers }));
}

Deno.test("calibrate, search, emit and quantize give the bytes of the command line", async () => {
  const query = await demoOptions();
  const statistics = await bytesOf(await post(`/v1/calibrate?${query}`, await demoForm()));
  assert.deepEqual(statistics, STATISTICS);
  const manifest = await bytesOf(
    await post("/v1/search", await form({ statistics: STATISTICS, model: DEMO_MODEL })),
  );
  assert.deepEqual(manifest, MANIFEST);
  const model = await bytesOf(
    await post("/v1/emit", await form({ manifest: MANIFEST, model: DEMO_MODEL })),
  );
  assert.deepEqual(model, MODEL);
  assert.deepEqual(await bytesOf(await post(`/v1/quantize?${query}`, await demoForm())), MODEL);
});

Deno.test("the edge gives the same from statistics, and knows nothing else", async () => {
  const edge = { edge: true };
  const parts = await form({ model: DEMO_MODEL, statistics: STATISTICS });
  assert.deepEqual(await bytesOf(await post("/v1/quantize", parts, edge)), MODEL);
  const manifest = await form({ manifest: MANIFEST, model: DEMO_MODEL });
  assert.deepEqual(await bytesOf(await post("/v1/emit", manifest, edge)), MODEL);
  assert.equal((await post("/v1/calibrate", await demoForm(), edge)).status, 404);
});

Deno.test("all results come as one tar, the same each time", async () => {
  const ask = async () =>
    await bytesOf(
      await post(
        "/v1/quantize?result=all",
        await form({ model: DEMO_MODEL, statistics: STATISTICS }),
      ),
    );
  const tar = await ask();
  const files = await unpackTar(tar);
  assert.deepEqual(files.map(({ header }) => header.name), [
    "model.onnx",
    "manifest.json",
    "statistics.plim",
  ]);
  [MODEL, MANIFEST, STATISTICS].forEach((bytes, i) => assert.deepEqual(files[i].data, bytes));
  assert.deepEqual(await ask(), tar);
});

for (const type of ["application/x-ndjson", "text/event-stream"]) {
  Deno.test(`progress and result come as ${type} on request`, async () => {
    const response = await post(
      `/v1/quantize?${await demoOptions({ result: "all" })}`,
      await demoForm(),
      { headers: { accept: type } },
    );
    assert.equal(response.headers.get("content-type"), type);
    const text = await response.text();
    const events = type === "application/x-ndjson"
      ? text.trimEnd().split("\n").map((line) => JSON.parse(line))
      : text.trimEnd().split("\n\n").map((block) => {
        const [, name, data] = /^event: (\w+)\ndata: (.*)$/.exec(block)!;
        assert.equal(JSON.parse(data).event, name);
        return JSON.parse(data);
      });
    const progress = events.filter(({ event }) => event === "progress");
    assert.ok(progress.length > 0);
    assert.equal(progress.at(-1).total, SAMPLES);
    assert.equal(events.at(-1).event, "done");
    for (
      const [name, bytes] of [["model.onnx", MODEL], ["manifest.json", WHOLE_MANIFEST]] as const
    ) {
      const pieces = events.filter((event) => event.event === "data" && event.name === name);
      const whole = atob(pieces.map(({ base64 }) => base64).join(""));
      assert.deepEqual(Uint8Array.from(whole, (char) => char.charCodeAt(0)), bytes, name);
      assert.equal(
        events.find((event) => event.event === "file" && event.name === name).bytes,
        bytes.length,
      );
    }
  });
}

Deno.test("a problem behind the head of an event stream is an event", async () => {
  const body = await form({ model: DEMO_MODEL, samples: new TextEncoder().encode("nonsense") });
  const response = await post("/v1/calibrate", body, {
    headers: { accept: "application/x-ndjson" },
  });
  const events = (await response.text()).trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(events.map(({ event }) => event), ["problem"]);
  assert.equal(events[0].problem.status, 400);
  assert.match(events[0].problem.detail, /found a file that begins with 6e 6f 6e 73/);
});

Deno.test("options come in a part, too, and mean what they mean on the command line", async () => {
  const options = {
    target: {
      schemaVersion: 2,
      name: "mine",
      extends: "onnxruntime",
      activation: { error: "mae" },
    },
    "weight-bits": 6,
    override: { match: { operator: "Gemm" }, quantize: false },
  };
  const manifest = JSON.parse(
    new TextDecoder().decode(
      await bytesOf(
        await post(
          "/v1/search",
          await form({
            options: new TextEncoder().encode(JSON.stringify(options)),
            statistics: STATISTICS,
          }),
        ),
      ),
    ),
  );
  await Deno.writeTextFile(`${FOLDER}/mine.json`, JSON.stringify(options.target));
  const { code, error } = await runCommand(
    ...["search", "--statistics", `${FOLDER}/s.plim`, "--target", `${FOLDER}/mine.json`],
    ...["--weight-bits", "6", "--override", JSON.stringify(options.override)],
    ...["--out", `${FOLDER}/mine-manifest.json`],
  );
  assert.equal(code, 0, error);
  assert.deepEqual(manifest, JSON.parse(await Deno.readTextFile(`${FOLDER}/mine-manifest.json`)));
  const query = new URLSearchParams({
    target: JSON.stringify(options.target),
    "weight-bits": "6",
    override: JSON.stringify(options.override),
  });
  const again = await post(`/v1/search?${query}`, await form({ statistics: STATISTICS }));
  assert.deepEqual(await again.json(), manifest);
});

const garbage = crypto.getRandomValues(new Uint8Array(5000));
const multipart = { "content-type": "multipart/form-data; boundary=b" };
const text = (content: string) => new TextEncoder().encode(content);

/** What is sent, and the problem that names the fault. */
const FAULTS: {
  name: string;
  path: string;
  body: () => Promise<BodyInit | null> | BodyInit | null;
  options?: Parameters<typeof post>[2];
  status: number;
  type: string;
  detail: RegExp;
}[] = [
  {
    name: "an unknown address",
    ...{ path: "/etc/passwd", body: () => "x" },
    ...{ status: 404, type: "not-found", detail: /openapi\.json/ },
  },
  {
    name: "another media type",
    ...{
      path: "/v1/search",
      body: () => "{}",
      options: { headers: { "content-type": "text/plain" } },
    },
    ...{ status: 415, type: "media-type", detail: /found "text\/plain"/ },
  },
  {
    name: "an unknown option",
    ...{ path: "/v1/search?nonsense=1", body: () => form({ statistics: STATISTICS }) },
    ...{ status: 400, type: "usage", detail: /wanted options target, error, .*found "nonsense"/ },
  },
  {
    name: "an option of another operation",
    ...{ path: "/v1/search?samples=3", body: () => form({ statistics: STATISTICS }) },
    ...{ status: 400, type: "usage", detail: /found "samples"/ },
  },
  {
    name: "a value out of range",
    ...{ path: "/v1/search?bits=1", body: () => form({ statistics: STATISTICS }) },
    ...{ status: 400, type: "usage", detail: /bits: .*>=2, found "1"/ },
  },
  {
    name: "an option given twice",
    ...{ path: "/v1/search?bits=4&bits=5", body: () => form({ statistics: STATISTICS }) },
    ...{ status: 400, type: "usage", detail: /wanted bits once, found 2 times/ },
  },
  {
    name: "a path as target",
    ...{ path: "/v1/search?target=/etc/passwd", body: () => form({ statistics: STATISTICS }) },
    ...{ status: 400, type: "usage", detail: /wanted target default, .*found "\/etc\/passwd"/ },
  },
  {
    name: "a path as preprocessing",
    ...{ path: "/v1/calibrate?preprocess=/etc/passwd", body: () => demoForm() },
    ...{ status: 400, type: "usage", detail: /wanted preprocess imagenet/ },
  },
  {
    name: "a large batch",
    ...{ path: "/v1/calibrate?batch=100000", body: () => demoForm() },
    ...{ status: 400, type: "usage", detail: /batch of at most 64, found 100000/ },
  },
  {
    name: "a missing part",
    ...{ path: "/v1/calibrate", body: () => form({ model: DEMO_MODEL }) },
    ...{ status: 400, type: "input", detail: /wanted part samples, found model/ },
  },
  {
    name: "samples in front of the model",
    ...{ path: "/v1/calibrate", body: () => form({ samples: CALIBRATION, model: DEMO_MODEL }) },
    ...{ status: 400, type: "input", detail: /wanted part model in front of the samples/ },
  },
  {
    name: "a part behind the samples",
    path: "/v1/quantize?samples=2",
    body: () => form({ model: DEMO_MODEL, samples: CALIBRATION, statistics: STATISTICS }),
    ...{
      status: 400,
      type: "input",
      detail: /wanted samples as its last part, found "statistics"/,
    },
  },
  {
    name: "both samples and statistics",
    path: "/v1/quantize",
    body: () => form({ model: DEMO_MODEL, statistics: STATISTICS, samples: CALIBRATION }),
    ...{ status: 400, type: "input", detail: /wanted samples or statistics, found both/ },
  },
  {
    name: "an unknown part",
    ...{ path: "/v1/search", body: () => form({ statistics: STATISTICS, more: STATISTICS }) },
    ...{ status: 400, type: "input", detail: /each once, found "more"/ },
  },
  {
    name: "garbage as a body",
    ...{ path: "/v1/search", body: () => garbage, options: { headers: multipart } },
    ...{ status: 400, type: "input", detail: /found no closing boundary: it is cut off/ },
  },
  {
    name: "a body without a boundary",
    path: "/v1/search",
    ...{
      body: () => garbage,
      options: { headers: { "content-type": "multipart/form-data; x=y" } },
    },
    ...{ status: 400, type: "input", detail: /a content type without a boundary/ },
  },
  {
    name: "a body that is cut off",
    path: "/v1/search",
    body: () =>
      text('--b\r\ncontent-disposition: form-data; name="statistics"; filename="s"\r\n\r\nPLIM'),
    options: { headers: multipart },
    ...{ status: 400, type: "input", detail: /cut off/ },
  },
  {
    name: "garbage as a model",
    ...{ path: "/v1/calibrate", body: () => form({ model: garbage, samples: CALIBRATION }) },
    ...{ status: 400, type: "input", detail: /reading model "the model"/ },
  },
  {
    name: "garbage as statistics",
    ...{ path: "/v1/search", body: () => form({ statistics: garbage }) },
    ...{ status: 400, type: "input", detail: /reading statistics "the statistics"/ },
  },
  {
    name: "garbage as a manifest",
    ...{ path: "/v1/emit", body: () => form({ manifest: garbage, model: DEMO_MODEL }) },
    ...{ status: 400, type: "input", detail: /reading "the manifest": wanted JSON/ },
  },
  {
    name: "garbage as samples",
    ...{ path: "/v1/calibrate", body: () => form({ model: DEMO_MODEL, samples: garbage }) },
    ...{ status: 400, type: "input", detail: /opening "the samples"/ },
  },
  {
    name: "a quantized model",
    ...{ path: "/v1/calibrate", body: () => form({ model: MODEL, samples: CALIBRATION }) },
    ...{ status: 422, type: "model", detail: /requantize/ },
  },
  {
    name: "another model than the statistics'",
    ...{
      path: "/v1/quantize?requantize",
      body: () => form({ model: MODEL, statistics: STATISTICS }),
    },
    ...{ status: 422, type: "model", detail: /wanted the model with SHA-256/ },
  },
  {
    name: "samples of another shape",
    path: "/v1/calibrate",
    body: () => form({ model: DEMO_MODEL, samples: text('{"input": [[[1, 2]]]}\n') }),
    ...{ status: 422, type: "data", detail: /shape/ },
  },
  {
    name: "a target that can't be",
    ...{
      path: `/v1/search?target={"schemaVersion":2}`,
      body: () => form({ statistics: STATISTICS }),
    },
    ...{ status: 422, type: "target", detail: /option target/ },
  },
  {
    name: "a model over the limit",
    ...{
      path: "/v1/calibrate",
      body: () => demoForm(),
      options: { limits: { maxModelBytes: 1000 } },
    },
    ...{ status: 413, type: "too-large", detail: /a part "model" of at most 1000 bytes/ },
  },
  {
    name: "a body over the limit",
    ...{
      path: "/v1/calibrate",
      body: () => demoForm(),
      options: { limits: { maxBodyBytes: 600_000 } },
    },
    ...{ status: 413, type: "too-large", detail: /a body of at most 600000 bytes/ },
  },
  {
    name: "work over the limit",
    ...{ path: "/v1/calibrate", body: () => demoForm(), options: { limits: { maxSeconds: 0.05 } } },
    ...{ status: 503, type: "too-long", detail: /0\.05 s are over/ },
  },
  {
    name: "rewrites that read samples twice",
    path: `/v1/calibrate?target=${
      encodeURIComponent(
        JSON.stringify({
          ...{ schemaVersion: 2, name: "mine", extends: "default" },
          rewrites: { equalization: true },
        }),
      )
    }`,
    body: () => demoForm(),
    ...{ status: 400, type: "usage", detail: /can be read once/ },
  },
];

for (const { name, path, body, options, status, type, detail } of FAULTS) {
  Deno.test(`${name} is named by a problem of status ${status}`, async () => {
    const response = await post(path, await body(), options);
    assert.equal(response.status, status);
    const problem = await problemOf(response);
    assert.equal(problem.type, `urn:plimsoll:problem:${type}`);
    assert.match(problem.detail, detail);
  });
}

Deno.test("a token is wanted where there is one, but for health and description", async () => {
  const handler = createHandler({ token: "secret" });
  const ask = (path: string, headers: Record<string, string> = {}, method = "GET") =>
    handler.fetch(new Request(ROOT + path, { headers, method }));
  for (const authorization of ["", "Bearer", "Bearer wrong", "Basic secret", "Bearer secret2"]) {
    const response = await ask("/v1/search", { authorization }, "POST");
    assert.equal(response.status, 401);
    assert.match(response.headers.get("www-authenticate")!, /^Bearer/);
    await problemOf(response);
  }
  const response = await ask("/v1/search", { authorization: "bearer secret" });
  assert.equal(response.status, 405);
  assert.equal(response.headers.get("allow"), "POST");
  await problemOf(response);
  for (const path of ["/health", "/openapi.json"]) {
    assert.equal((await ask(path)).status, 200);
    assert.equal((await ask(path, {}, "DELETE")).status, 405);
  }
});

Deno.test("a defect is told to the server's log, and nothing of it to the client", async () => {
  const told: unknown[] = [];
  const handler = createHandler({ onDefect: (error) => told.push(error) });
  const body = new ReadableStream({
    pull: (controller) => {
      controller.enqueue(text("--b\r\ncontent-disposition: form-data; name="));
      controller.close();
    },
  });
  const request = new Request(`${ROOT}/v1/search`, { method: "POST", body, headers: multipart });
  // What no code of this repository throws.
  Object.defineProperty(request, "body", {
    get: () => {
      throw new Error(`secret of ${Deno.cwd()}`);
    },
  });
  const response = await handler.fetch(request);
  assert.equal(response.status, 500);
  assert.doesNotMatch(JSON.stringify(await problemOf(response)), /secret/);
  assert.match(String(told[0]), /secret/);
});

Deno.test("the description is what the handler does", async () => {
  const handler = createHandler({ token: "secret" });
  const document = await (await handler.fetch(new Request(`${ROOT}/openapi.json`))).json();
  const ajv = new Ajv2020({ strict: false });
  const schemas = document.components.schemas;
  const validate = (name: string, value: unknown) => {
    const check = ajv.compile({ ...schemas[name], components: { schemas } });
    assert.ok(check(value), `${name}: ${JSON.stringify(check.errors)}`);
  };
  validate("Health", await (await handler.fetch(new Request(`${ROOT}/health`))).json());
  const headers = { authorization: "Bearer secret" };
  for (const [path, methods] of Object.entries<Record<string, Described>>(document.paths)) {
    for (const [method, { parameters = [], responses }] of Object.entries(methods)) {
      const init = { method: method.toUpperCase(), headers };
      // Every address answers its method, as the description says it answers.
      const response = await handler.fetch(new Request(ROOT + path, init));
      assert.ok(String(response.status) in responses, `${path} ${response.status}`);
      if (method === "post") {
        validate("Problem", await response.json());
        assert.equal(response.status, 415);
      } else await response.body?.cancel();
      // Every parameter is known, and its schema agrees with the check.
      for (const { name, schema } of parameters) {
        const check = ajv.compile(schema);
        for (const value of ["1", "8", "mse", "uniform", "yes", "auto", "skip", "raw", "256"]) {
          const typed = Number.isNaN(Number(value)) ? value : Number(value);
          const accepts = check(typed) || check(value);
          const query = new URLSearchParams({ [name]: value });
          const answer = await handler.fetch(
            new Request(`${ROOT}${path}?${query}`, { ...init, body: "x" }),
          );
          const { type, detail } = await problemOf(answer);
          // Good options get as far as the media type of the body.
          const wanted = accepts ? "media-type" : "usage";
          if (name === "override" || name === "requantize") continue;
          assert.equal(type, `urn:plimsoll:problem:${wanted}`, `${name}=${value}: ${detail}`);
        }
      }
    }
  }
});

interface Described {
  parameters?: { name: string; schema: Record<string, unknown> }[];
  responses: Record<string, unknown>;
}

Deno.test("options of requests have the names, and the choices, of the command line", async () => {
  const document = await (await createHandler().fetch(new Request(`${ROOT}/openapi.json`))).json();
  const { out } = await runCommand("quantize", "--help");
  const help = out.replace(/\s+/g, " ");
  const own = ["samples-bytes", "result"];
  const { parameters } = document.paths["/v1/quantize"].post;
  assert.ok(parameters.length > 30);
  for (const { name, schema } of parameters) {
    if (own.includes(name)) continue;
    assert.ok(help.includes(` --${name} `), `--${name} is no option of the command line`);
    if (schema.enum === undefined) continue;
    const choices = schema.enum.map((choice: string) => `"${choice}"`).join(", ");
    assert.ok(help.includes(choices) || name === "data-format", `--${name}: ${choices}`);
  }
});
