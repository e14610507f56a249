/**
 * The fetch handler: from a request to an operation and back. Nothing is kept between requests.
 *
 * @module
 */
import { deferred } from "../../core/deferred.ts";
import type { Runtime } from "../../pipeline/inference/runtime.ts";
import { VERSION } from "../../core/version.ts";
import { checkToken } from "./auth.ts";
import { tooLarge, watchBody } from "./body.ts";
import { EventWriter, wantedEvents } from "./event_stream.ts";
import { Gate } from "./gate.ts";
import { DEFAULT_LIMITS, type Limits } from "./limits.ts";
import { openApiDocument } from "./openapi.ts";
import type { Operation, OperationInput, PartSpec, ResultFile } from "./operation.ts";
import { type Options, readOptions } from "./options.ts";
import { type Part, readParts, wholePart } from "./parts.ts";
import { Problem, problemOf, problemResponse } from "./problem.ts";
import { fileResponse, type SendGuard } from "./results.ts";

/** Settings of a handler. */
export interface HandlerOptions {
  /** Other limits than the default ones. */
  readonly limits?: Partial<Limits>;
  /** Token without which nothing but health and description is answered. */
  readonly token?: string;
  /** Told about defects, whose messages clients don't get. Default: nobody. */
  readonly onDefect?: (error: unknown) => void;
}

/** As much of a server as every host has: Deno, workerd, Node's adapters. */
export interface Handler {
  /** Answers a request. Never rejects. */
  fetch(request: Request): Promise<Response>;
}

/** Bytes of the part `options`. */
const MAX_OPTIONS_BYTES = 2 ** 20;

type Bytes = Uint8Array<ArrayBuffer>;

/** Makes a handler for some operations; `/health` says when their runtime, if they have one, is lost. */
export function createHandlerFor(
  operations: readonly Operation[],
  { limits: own, token, onDefect }: HandlerOptions,
  runtime?: Runtime,
): Handler {
  const limits: Limits = { ...DEFAULT_LIMITS, ...own };
  const gate = new Gate(limits);
  const routes = new Map(operations.map((operation) => [operation.path, operation]));
  const description = JSON.stringify(openApiDocument(operations, limits, token !== undefined));

  const answerError = (error: unknown): Problem => {
    const problem = problemOf(error);
    if (problem.problem === "defect") onDefect?.(error);
    return problem;
  };

  async function answer(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (pathname === "/health" || pathname === "/openapi.json") {
      if (request.method !== "GET" && request.method !== "HEAD") throw wrongMethod("GET, HEAD");
      return pathname === "/health" ? health() : json(description);
    }
    const operation = routes.get(pathname);
    if (operation === undefined) {
      throw new Problem("not-found", "See /openapi.json for what there is.");
    }
    await checkToken(request, token);
    if (request.method !== "POST") throw wrongMethod("POST");
    return await work(operation, request);
  }

  function health(): Response {
    const { active, waiting } = gate;
    const isLost = runtime?.lost !== undefined;
    return json(
      JSON.stringify({ status: isLost ? "lost" : "ok", version: VERSION, active, waiting }),
      isLost ? 503 : 200,
    );
  }

  async function work(operation: Operation, request: Request): Promise<Response> {
    const query = new URL(request.url).searchParams;
    // Faults that the head of the request shows are told before its body is read.
    const options = readOptions(operation.options, query);
    const contentType = checkHead(request, limits);
    const ending = new AbortController();
    const signal = AbortSignal.any([request.signal, ending.signal]);
    const release = await gate.enter(signal);
    const timer = setTimeout(
      () => ending.abort(new Problem("too-long", `${limits.maxSeconds} s are over. Send less.`)),
      limits.maxSeconds * 1000,
    );
    const leave = () => {
      clearTimeout(timer);
      release();
    };
    const body = watchBody(request.body!, limits, signal);
    const run = async (tell: Pick<OperationInput, "onProgress" | "onNote">) => {
      const input = { ...tell, limits, signal };
      return await abortable(
        runOperation(operation, body, { contentType, options, query }, input),
        signal,
      );
    };
    const type = wantedEvents(request.headers);
    const guard: SendGuard = (stream) => watchSending(stream, limits, leave);
    if (type === undefined) {
      try {
        return fileResponse(await run({ onNote: () => {} }), guard);
      } catch (error) {
        leave();
        throw error;
      }
    }
    const writer = new EventWriter(type);
    run({
      onProgress: (progress) => writer.tell({ event: "progress", ...progress }),
      onNote: (text) => writer.tell({ event: "note", text }),
    })
      .then((files) => writer.send(files), (error) => writer.fail(answerError(error)))
      // The client is gone.
      .catch((error) => ending.abort(error));
    return new Response(
      watchSending(writer.readable, limits, (reason) => {
        ending.abort(reason);
        leave();
      }),
      { headers: { "content-type": type, "cache-control": "no-store" } },
    );
  }

  return {
    fetch: async (request) => {
      try {
        return await answer(request);
      } catch (error) {
        return problemResponse(answerError(error));
      }
    },
  };
}

function wrongMethod(allow: string): Problem {
  return new Problem("method", `Use ${allow}.`, { allow });
}

function json(text: string, status = 200): Response {
  return new Response(`${text}\n`, { status, headers: { "content-type": "application/json" } });
}

/** Checks what the head says of the body, and returns its content type. */
function checkHead(request: Request, { maxBodyBytes }: Limits): string {
  const contentType = request.headers.get("content-type") ?? "";
  if (!/^multipart\/form-data\s*;/i.test(contentType) || request.body === null) {
    throw new Problem(
      "media-type",
      `Wanted multipart/form-data, as curl -F sends it, found ${JSON.stringify(contentType)}.`,
    );
  }
  if (Number(request.headers.get("content-length") ?? 0) > maxBodyBytes) {
    throw tooLarge("a body", maxBodyBytes);
  }
  return contentType;
}

/** Rejects with the signal's reason as soon as it aborts, whatever the work does then. */
async function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = deferred<never>();
  const abort = () => aborted.reject(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
    work.catch(() => {});
  }
}

interface Head {
  readonly contentType: string;
  readonly options: Options;
  readonly query: URLSearchParams;
}

/** Reads the parts up to the samples, which stream into the operation. */
async function runOperation(
  operation: Operation,
  body: ReadableStream<Bytes>,
  { contentType, options: fromQuery, query }: Head,
  input: Omit<OperationInput, "files" | "samples" | "options">,
): Promise<readonly ResultFile[]> {
  const parts = readParts(body, contentType);
  const files = new Map<string, Bytes>();
  let options = fromQuery;
  try {
    for await (const part of parts) {
      if (part.name === "options") {
        const text = new TextDecoder().decode(await wholePart(part, MAX_OPTIONS_BYTES));
        options = readOptions(operation.options, query, parseOptions(text));
        continue;
      }
      checkPart(operation, part, files);
      if (part.name !== "samples") {
        const { maxModelBytes, maxFileBytes } = input.limits;
        files.set(
          part.name,
          await wholePart(part, part.name === "model" ? maxModelBytes : maxFileBytes),
        );
        continue;
      }
      checkComplete(operation, new Set([...files.keys(), "samples"]));
      const { stream, filename } = part;
      const made = await operation.run({ ...input, files, options, samples: { stream, filename } });
      // A client may listen only when it has sent everything. What comes now is too late to be used.
      for await (const { name } of parts) {
        throw new Problem(
          "input",
          `While reading the body: wanted samples as its last part, found ${
            JSON.stringify(name)
          } behind them.`,
        );
      }
      return made;
    }
    checkComplete(operation, new Set(files.keys()));
    return await operation.run({ ...input, files, options });
  } finally {
    await parts.return(undefined);
  }
}

function parseOptions(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Problem(
      "usage",
      `While reading part options: wanted JSON, found ${(cause as Error).message}.`,
    );
  }
}

function checkPart({ parts }: Operation, { name }: Part, files: ReadonlyMap<string, Bytes>): void {
  const known = parts.map((part) => part.name).concat("options" as PartSpec["name"]);
  const found = !known.some((one) => one === name)
    ? `${JSON.stringify(name)}`
    : files.has(name)
    ? `${JSON.stringify(name)} twice`
    : undefined;
  if (found === undefined) return;
  throw new Problem(
    "input",
    `While reading the body: wanted parts ${known.join(", ")}, each once, found ${found}.`,
  );
}

function checkComplete({ parts }: Operation, given: ReadonlySet<string>): void {
  for (const { name, isOptional, orElse } of parts) {
    const isThere = given.has(name);
    if (isThere && orElse !== undefined && given.has(orElse)) {
      throw new Problem(
        "input",
        `While reading the body: wanted ${name} or ${orElse}, found both. Leave one out.`,
      );
    }
    if (isThere || isOptional || orElse !== undefined && given.has(orElse)) continue;
    throw new Problem(
      "input",
      `While reading the body: wanted part ${name}${orElse === undefined ? "" : ` or ${orElse}`}` +
        `${given.has("samples") ? " in front of the samples" : ""}, found ${
          [...given].join(", ") || "no part"
        }.`,
    );
  }
}

/**
 * Passes a response on, and ends it when nobody takes it for too long: what is made is held until then.
 *
 * @param onEnd Called once: sent, cancelled, failed or given up.
 */
function watchSending(
  stream: ReadableStream<Bytes>,
  { maxStallSeconds }: Limits,
  onEnd: (reason?: unknown) => void,
): ReadableStream<Bytes> {
  const reader = stream.getReader();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isOver = false;
  const end = (reason?: unknown) => {
    clearTimeout(timer);
    if (isOver) return;
    isOver = true;
    onEnd(reason);
  };
  return new ReadableStream({
    start: (controller) => watch(controller),
    pull: async (controller) => {
      clearTimeout(timer);
      try {
        const { done, value } = await reader.read();
        if (isOver) return;
        if (done) {
          end();
          return controller.close();
        }
        controller.enqueue(value);
        watch(controller);
      } catch (error) {
        end(error);
        controller.error(error);
      }
    },
    cancel: async (reason) => {
      end(reason);
      await reader.cancel(reason);
    },
  }, { highWaterMark: 0 });

  function watch(controller: ReadableStreamDefaultController<Bytes>): void {
    timer = setTimeout(() => {
      const problem = new Problem("stalled", `Nobody took the result for ${maxStallSeconds} s.`);
      end(problem);
      controller.error(problem);
      reader.cancel(problem).catch(() => {});
    }, maxStallSeconds * 1000);
  }
}
