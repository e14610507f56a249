/**
 * What workers at the edge have in common.
 *
 * @module
 */
import type { Handler, RequestContext } from "../http/handler.ts";
import type { Limits } from "../http/limits.ts";

/** Variables and secrets of a worker; see `http/settings.ts` for those that are read. */
export type WorkerEnvironment = Readonly<Record<string, string | undefined>>;

/** What workerd gives along with a request. */
export type WorkerContext = Required<RequestContext>;

/** The default export of a worker. */
export interface WorkerHandler {
  /** Answers a request. */
  fetch(
    request: Request,
    environment: WorkerEnvironment,
    context: WorkerContext,
  ): Promise<Response>;
}

/** Limits that suit the 128 MB of an isolate; variables change them. */
export const DEFAULTS_128_MB: Partial<Limits> = {
  maxModelBytes: 2 ** 23,
  maxFileBytes: 2 ** 23,
  maxBatch: 8,
  maxPixels: 2 ** 22,
  maxActive: 1,
};

/** Streams that workerd knows from inside, and other hosts don't have. */
const { FixedLengthStream, IdentityTransformStream } = globalThis as unknown as {
  readonly FixedLengthStream: new (length: number) => TransformStream<Uint8Array, Uint8Array>;
  readonly IdentityTransformStream: new () => TransformStream<Uint8Array, Uint8Array>;
};

/**
 * Answers a request so that the handler hears of it when nobody takes the answer: workerd drops a stream of JavaScript
 * without a word to it when the client has gone, and fails what is written to one of its own (4.20260426).
 */
export async function answer(
  handler: Handler,
  request: Request,
  context: WorkerContext,
): Promise<Response> {
  const response = await handler.fetch(request, context);
  if (response.body === null) return response;
  const length = response.headers.get("content-length");
  const { readable, writable } = length === null
    ? new IdentityTransformStream()
    : new FixedLengthStream(Number(length));
  context.waitUntil(response.body.pipeTo(writable).catch(() => {}));
  return new Response(readable, response);
}
