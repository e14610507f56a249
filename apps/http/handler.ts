/**
 * The fetch handler: from a request to an operation and back. Nothing is kept between requests.
 *
 * @module
 */
import { parseJsonText } from "../../core/parse_json.ts";
import { deferred } from "../../core/deferred.ts";
import { VERSION } from "../../core/version.ts";
import { checkToken } from "./auth.ts";
import { dropBody, tooLarge, watchBody } from "./body.ts";
import { type EventType, EventWriter, wantedEvents } from "./event_stream.ts";
import { Gate } from "./gate.ts";
import { DEFAULT_LIMITS, type Limits } from "./limits.ts";
import { openApiDocument } from "./openapi.ts";
import { checkOrigin, corsHeaders, type OriginSettings, preflight } from "./origin.ts";
import type { Operation, OperationInput, PartSpec, ResultFile } from "./operation.ts";
import { type Options, readOptions } from "./options.ts";
import { type Part, readParts, wholePart } from "./parts.ts";
import { Problem, type ProblemName, problemOf, problemResponse } from "./problem.ts";
import { fileResponse, type SendGuard } from "./results.ts";

/** Settings of a handler. */
export interface HandlerOptions extends OriginSettings {
  /** Other limits than the default ones. */
  readonly limits?: Partial<Limits>;
  /** Token without which nothing but health, readiness and description is answered. */
  readonly token?: string;
  /** Told about defects, whose messages clients don't get, with the id of the request. Default: nobody. */
  readonly onDefect?: (error: unknown, id: string) => void;
}

/** What a host may have for a request besides its client. */
export interface RequestContext {
  /** Keeps what was begun for the request going when its client leaves; a host without it never stops it. */
  waitUntil?(work: Promise<unknown>): void;
}

/** As much of a server as every host has: Deno, workerd, Node's adapters. */
export interface Handler {
  /** Answers a request. Never rejects. */
  fetch(request: Request, context?: RequestContext): Promise<Response>;
  /** Takes no more work, waits for what runs up to `limits.maxShutdownSeconds`, and ends the rest. */
  close(): Promise<void>;
}

/** What becomes known of a request while it is answered. */
export interface Visit {
  /** Its id. */
  readonly id: string;
  /** What its host has for it. */
  readonly context?: RequestContext;
  /** Address of the operation that it asked for. */
  operation?: string;
  /** What it was answered, where it went wrong. */
  problem?: ProblemName;
}

/** The handler itself, for whatever goes around it. */
export interface Core {
  /** Answers a request. Never rejects. */
  answer(request: Request, visit: Visit): Promise<Response>;
  /** Who is in. */
  readonly gate: Gate;
  /** See {@linkcode Handler.close}. */
  close(): Promise<void>;
}

/** Bytes of the part `options`. */
const MAX_OPTIONS_BYTES = 2 ** 20;

type Bytes = Uint8Array<ArrayBuffer>;

/** Addresses that answer GET, whoever asks. */
const OPEN = ["/health", "/ready", "/openapi.json"];

/** What goes around a handler. */
export interface Surroundings {
  /** Whether nothing but a restart helps; `/health` says so. Default: never. */
  readonly isLost?: () => boolean;
  /** Whether something around it answers `/metrics`. Default: no. */
  readonly hasMetrics?: boolean;
}

/** Makes a handler for some operations. */
export function createHandlerFor(
  operations: readonly Operation[],
  options: HandlerOptions,
  { isLost = () => false, hasMetrics = false }: Surroundings = {},
): Core {
  const { limits: own, token, onDefect } = options;
  const limits: Limits = { ...DEFAULT_LIMITS, ...own };
  const gate = new Gate(limits);
  const routes = new Map(operations.map((operation) => [operation.path, operation]));
  const description = JSON.stringify(
    openApiDocument(operations, limits, { hasToken: token !== undefined, hasMetrics }),
  );
  /** Those in or in front of the gate, with their requests: nothing else holds the signals that tell of a client's going. */
  const endings = new Map<AbortController, Request>();
  let isStopping = false;

  const answerError = (error: unknown, { signal }: Request, visit: Visit): Problem => {
    const problem = signal.aborted && error === signal.reason
      ? new Problem("aborted", "The client has gone.")
      : problemOf(error);
    visit.problem = problem.problem;
    if (problem.problem === "defect") onDefect?.(error, visit.id);
    return problem;
  };

  async function route(request: Request, visit: Visit): Promise<Response> {
    const { pathname } = new URL(request.url);
    const asked = preflight(request, options);
    if (asked !== undefined) return asked;
    if (OPEN.includes(pathname)) {
      if (request.method !== "GET" && request.method !== "HEAD") throw wrongMethod("GET, HEAD");
      if (pathname === "/health") return health();
      return pathname === "/ready" ? readiness() : json(description);
    }
    if (token === undefined) checkOrigin(request, options);
    const operation = routes.get(pathname);
    if (operation === undefined) {
      throw new Problem("not-found", "See /openapi.json for what there is.");
    }
    await checkToken(request, token);
    if (request.method !== "POST") throw wrongMethod("POST");
    visit.operation = operation.path;
    return await work(operation, request, visit);
  }

  function health(): Response {
    const { active, waiting } = gate;
    const lost = isLost();
    return json(
      JSON.stringify({ status: lost ? "lost" : "ok", version: VERSION, active, waiting }),
      lost ? 503 : 200,
    );
  }

  function readiness(): Response {
    const status = isStopping ? "stopping" : isLost() ? "lost" : gate.isFull ? "busy" : "ready";
    return json(JSON.stringify({ status }), status === "ready" ? 200 : 503);
  }

  async function work(operation: Operation, request: Request, visit: Visit): Promise<Response> {
    const query = new URL(request.url).searchParams;
    // Faults that the head of the request shows are told before its body is read.
    const options = readOptions(operation.options, query);
    const contentType = checkHead(request, limits);
    if (isStopping) throw stopping();
    const ending = new AbortController();
    const { signal } = ending;
    endings.set(ending, request);
    const onGone = () => ending.abort(request.signal.reason);
    request.signal.addEventListener("abort", onGone, { once: true });
    if (request.signal.aborted) onGone();
    const body = watchBody(request.body!, {
      limits,
      signal,
      isContended: () => gate.waiting > 0,
      onFail: (error) => ending.abort(error),
    });
    let work: Promise<unknown> = Promise.resolve();
    const left = deferred<void>();
    // workerd drops what a request was doing as soon as its client has gone: its place and its turn in the runtime would
    // be kept for ever.
    visit.context?.waitUntil?.(left.promise);
    let leave = () => {
      endings.delete(ending);
      left.resolve(work.then(() => {}, () => {}));
    };
    const run = async (tell: Pick<OperationInput, "onProgress" | "onNote">) => {
      const head = { contentType, options, query };
      const input = { ...tell, limits, signal };
      const made = runOperation(operation, body.stream, head, input);
      work = made;
      return await abortable(made, signal);
    };
    const guard: SendGuard = (stream) => watchSending(stream, limits, leave);
    try {
      const release = await gate.enter(signal);
      const timer = setTimeout(
        () => ending.abort(new Problem("too-long", `${limits.maxSeconds} s are over. Send less.`)),
        limits.maxSeconds * 1000,
      );
      const forget = leave;
      leave = () => {
        forget();
        clearTimeout(timer);
        request.signal.removeEventListener("abort", onGone);
        release();
      };
      const type = wantedEvents(request.headers);
      if (type === undefined) return fileResponse(await run({ onNote: () => {} }), guard);
      return eventResponse(type);
    } catch (error) {
      leave();
      const { problem } = problemOf(error);
      // Of whoever is silent or gone nothing more will come.
      if (problem !== "stalled" && problem !== "aborted") await body.drop();
      throw error;
    }

    function eventResponse(type: EventType): Response {
      const writer = new EventWriter(type);
      run({
        onProgress: (progress) => writer.tell({ event: "progress", ...progress }),
        onNote: (text) => writer.tell({ event: "note", text }),
      })
        .then((files) => writer.send(files), (error) => {
          body.drop();
          return writer.fail(answerError(error, request, visit));
        })
        // The client is gone.
        .catch((error) => ending.abort(error));
      const sending = watchSending(writer.readable, limits, (reason) => {
        ending.abort(reason);
        leave();
      });
      return new Response(sending, {
        headers: { "content-type": type, "cache-control": "no-store" },
      });
    }
  }

  return {
    gate,
    answer: async (request, visit) => {
      let response: Response;
      try {
        response = await route(request, visit);
      } catch (error) {
        const problem = answerError(error, request, visit);
        if (problem.problem !== "defect" && request.body !== null) await dropBody(request.body);
        response = problemResponse(problem);
      }
      response.headers.set("x-request-id", visit.id);
      for (const [name, value] of Object.entries(corsHeaders(request, options))) {
        response.headers.set(name, value);
      }
      return response;
    },
    close: async () => {
      isStopping = true;
      let timer: ReturnType<typeof setTimeout> | undefined;
      const over = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, limits.maxShutdownSeconds * 1000);
      });
      await Promise.race([gate.idle(), over]);
      clearTimeout(timer);
      for (const ending of endings.keys()) ending.abort(stopping());
    },
  };
}

/** The handler as servers take it. */
export function handlerOf({ answer, close }: Core): Handler {
  return {
    fetch: (request, context) => answer(request, { id: requestId(request), context }),
    close,
  };
}

/** The id that a request brought, where it is sane, or a new one. */
export function requestId({ headers }: Request): string {
  const given = headers.get("x-request-id") ?? "";
  return /^[\w.:/+=-]{1,128}$/.test(given) ? given : crypto.randomUUID();
}

function stopping(): Problem {
  return new Problem("stopping", "This server is about to end. Ask another one, or later.", {
    "retry-after": "10",
  });
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
    return parseJsonText(text);
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
