/**
 * What operators see of a handler: a line for each request, and `/metrics`.
 *
 * @module
 */
import { VERSION } from "../../core/version.ts";
import { checkToken } from "./auth.ts";
import { type Core, type Handler, type HandlerOptions, requestId, type Visit } from "./handler.ts";
import { Counter, Durations, family, METRICS_TYPE, sample } from "./metrics.ts";
import { checkOrigin } from "./origin.ts";
import { Problem, problemOf, problemResponse } from "./problem.ts";
import type { WorkerCounts } from "./worker_pool.ts";

/** A line of the log; servers write it as JSON. */
export interface LogEntry {
  /** When, as ISO 8601. */
  readonly time: string;
  /** How bad it is. */
  readonly level: "info" | "warn" | "error";
  /** What it is about. */
  readonly event: "request" | "defect";
  /** Id of the request, which its answer has in `x-request-id`. */
  readonly id: string;
  /** Its method. */
  readonly method?: string;
  /** Its address, without what follows the question mark. */
  readonly path?: string;
  /** Status of the answer. */
  readonly status?: number;
  /** Name of the problem that it was answered. */
  readonly problem?: string;
  /** From its head to the end of the answer. */
  readonly milliseconds?: number;
  /** Bytes of the answer that were taken. */
  readonly bytes?: number;
  /** Whether the answer was taken to its end. */
  readonly isWhole?: boolean;
  /** What a defect says of itself. */
  readonly trace?: string;
}

/** Settings of what operators see. */
export interface ObserveOptions {
  /** Told each line of the log. */
  readonly onLog?: (entry: LogEntry) => void;
  /** Bytes of memory that this process has, for `/metrics`. */
  readonly residentBytes?: () => number;
}

/** Addresses that are asked again and again, and say nothing when all is well. */
const QUIET = ["/health", "/ready", "/metrics"];

/**
 * A handler that is watched.
 *
 * @param workers How its workers are, where it has some.
 */
export function observe(
  core: Core,
  options: HandlerOptions & ObserveOptions,
  workers?: () => WorkerCounts,
): Handler {
  const { onLog, residentBytes, token } = options;
  const requests = new Counter();
  const problems = new Counter();
  const sent = new Counter();
  const durations = new Durations();

  function end(request: Request, visit: Visit, outcome: Outcome): void {
    const { status, bytes, milliseconds, isWhole } = outcome;
    const { operation, problem, id } = visit;
    const { method } = request;
    const path = new URL(request.url).pathname.slice(0, 200);
    requests.add({ operation: operation ?? "other", status: String(status) });
    sent.add({}, bytes);
    if (operation !== undefined) durations.observe({ operation }, milliseconds / 1000);
    if (problem !== undefined) problems.add({ problem });
    if (status < 400 && QUIET.includes(path)) return;
    onLog?.({
      time: new Date().toISOString(),
      level: status >= 500 ? "warn" : "info",
      event: "request",
      id,
      method,
      path,
      status,
      ...(problem === undefined ? {} : { problem }),
      milliseconds: Math.round(milliseconds),
      bytes,
      isWhole,
    });
  }

  function metrics(): string {
    const { active, waiting } = core.gate;
    const { busy, idle, stuck, started } = workers?.() ??
      { busy: 0, idle: 0, stuck: 0, started: 0 };
    const gauge = (name: string, help: string, value: number) =>
      family(name, "gauge", help, [sample(name, value)]);
    return [
      family("plimsoll_build_info", "gauge", "The version that runs", [
        sample("plimsoll_build_info", 1, { version: VERSION }),
      ]),
      family(
        "plimsoll_requests_total",
        "counter",
        "Requests that were answered",
        requests.lines("plimsoll_requests_total"),
      ),
      family(
        "plimsoll_problems_total",
        "counter",
        "Requests that were answered a problem, by its name",
        problems.lines("plimsoll_problems_total"),
      ),
      family(
        "plimsoll_request_duration_seconds",
        "histogram",
        "From the head of a request to the end of its answer",
        durations.lines("plimsoll_request_duration_seconds"),
      ),
      family(
        "plimsoll_sent_bytes_total",
        "counter",
        "Bytes of answers that clients took",
        sent.lines("plimsoll_sent_bytes_total"),
      ),
      gauge("plimsoll_requests_active", "Requests at work", active),
      gauge("plimsoll_requests_waiting", "Requests that wait for a place", waiting),
      family("plimsoll_workers", "gauge", "Workers by what they do; stuck ones can't be ended", [
        sample("plimsoll_workers", busy, { state: "busy" }),
        sample("plimsoll_workers", idle, { state: "idle" }),
        sample("plimsoll_workers", stuck, { state: "stuck" }),
      ]),
      family("plimsoll_workers_started_total", "counter", "Workers that were started", [
        sample("plimsoll_workers_started_total", started),
      ]),
      ...(residentBytes === undefined
        ? []
        : [gauge("process_resident_memory_bytes", "Memory of the process", residentBytes())]),
    ].join("");
  }

  async function answer(request: Request, visit: Visit): Promise<Response> {
    if (new URL(request.url).pathname !== "/metrics") return await core.answer(request, visit);
    const headers = { "x-request-id": visit.id };
    try {
      if (token === undefined) checkOrigin(request, options);
      await checkToken(request, token);
      if (request.method !== "GET" && request.method !== "HEAD") {
        throw new Problem("method", "Use GET, HEAD.", { allow: "GET, HEAD" });
      }
      return new Response(metrics(), { headers: { ...headers, "content-type": METRICS_TYPE } });
    } catch (error) {
      const problem = problemOf(error);
      visit.problem = problem.problem;
      const response = problemResponse(problem);
      response.headers.set("x-request-id", visit.id);
      return response;
    }
  }

  return {
    fetch: async (request, context) => {
      const since = performance.now();
      const visit: Visit = { id: requestId(request), context };
      const response = await answer(request, visit);
      return watchAnswer(response, (bytes, isWhole) =>
        end(request, visit, {
          status: response.status,
          bytes,
          isWhole,
          milliseconds: performance.now() - since,
        }));
    },
    close: core.close,
  };
}

/** The defect of a request as a line of the log. */
export function defectEntry(error: unknown, id: string): LogEntry {
  const trace = error instanceof Error ? error.stack ?? error.message : String(error);
  return { time: new Date().toISOString(), level: "error", event: "defect", id, trace };
}

interface Outcome {
  readonly status: number;
  readonly bytes: number;
  readonly milliseconds: number;
  readonly isWhole: boolean;
}

/** The same response; tells once when it was taken, or won't be. */
function watchAnswer(
  response: Response,
  onEnd: (bytes: number, isWhole: boolean) => void,
): Response {
  if (response.body === null) {
    onEnd(0, true);
    return response;
  }
  const reader = response.body.getReader();
  let bytes = 0;
  const body = new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      try {
        const { done, value } = await reader.read();
        if (done) {
          onEnd(bytes, true);
          return controller.close();
        }
        bytes += value.byteLength;
        controller.enqueue(value);
      } catch (error) {
        onEnd(bytes, false);
        throw error;
      }
    },
    cancel: async (reason) => {
      onEnd(bytes, false);
      await reader.cancel(reason);
    },
  }, { highWaterMark: 0 });
  return new Response(body, response);
}
