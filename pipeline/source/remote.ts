/**
 * Bytes from a server that may be slow, busy or gone for a while.
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";
import type { Reader } from "../../core/host.ts";

/** How long a server is waited for, and how often it is asked again. */
export interface Patience {
  /** Milliseconds until an answer begins. */
  readonly answerMs: number;
  /** Milliseconds without a byte of it. */
  readonly stallMs: number;
  /** Requests for the same bytes; whatever comes begins the count anew. */
  readonly attempts: number;
  /** Milliseconds before the second of them; each further one waits twice as long. */
  readonly pauseMs: number;
}

/** Half a minute of silence, and about as much of pauses. */
export const PATIENCE: Patience = { answerMs: 30_000, stallMs: 30_000, attempts: 6, pauseMs: 1000 };

/** Longest pause that a server may ask for (Retry-After). */
const MAX_PAUSE_MS = 60_000;

/** A file on a server. */
export interface RemoteFile {
  /** Its size, when the server says it. */
  readonly byteLength?: number;
  /** All bytes, read on demand, across broken connections where the server knows ranges. To be taken once. */
  readonly stream: ReadableStream<Uint8Array<ArrayBuffer>>;
  /** Bytes from `start` to before `end`; absent where the server doesn't know ranges. */
  readonly slice?: (start: number, end: number) => Promise<ArrayBuffer>;
  /** Ends whatever is under way. */
  close(): void;
}

/** A failure that may be gone in a moment. */
class Temporary extends Error {
  readonly error: PlimsollError;
  readonly waitMs: number | undefined;

  constructor(error: PlimsollError, waitMs?: number) {
    super(error.message);
    this.error = error;
    this.waitMs = waitMs;
  }
}

/**
 * Opens a file by its address. One request does: it asks for the range of everything, so that the answer tells whether
 * the server knows ranges, and is the stream as well.
 *
 * @throws {PlimsollError} kind `input`.
 */
export async function openRemote(
  reader: Pick<Reader, "fetch">,
  url: string,
  patience = PATIENCE,
): Promise<RemoteFile> {
  const connection = new Connection(reader, url, patience);
  const response = await connection.request("0-");
  const fail = async (found: string, remedy: string) => {
    connection.close();
    await response.body?.cancel().catch(() => {});
    return failure(url, "a file", found, remedy);
  };
  if (!response.ok || response.body === null) {
    throw await fail(`status ${response.status} ${response.statusText}`, "Check the address");
  }
  const range = response.headers.get("content-range")?.match(/^bytes 0-(\d+)\/(\d+)$/);
  const hasRanges = response.status === 206 && range !== undefined && range !== null;
  if (response.status === 206 && !(hasRanges && Number(range[1]) === Number(range[2]) - 1)) {
    throw await fail(
      `a part of it, ${response.headers.get("content-range")}`,
      "Ask the server's owner, or download the file first",
    );
  }
  const length = hasRanges ? range[2] : response.headers.get("content-length");
  const byteLength = length === null ? undefined : Number(length);
  // A weak tag says "as good as the same", which is no good for pieces.
  const tag = response.headers.get("etag");
  const version = tag?.startsWith('"') ? tag : response.headers.get("last-modified");
  return {
    byteLength,
    stream: connection.stream(response, { byteLength, version, hasRanges }),
    ...(hasRanges ? { slice: rangeReader(connection, byteLength!, version) } : {}),
    close: () => connection.close(),
  };
}

/** Everything that is asked of one address. */
class Connection {
  readonly #reader: Pick<Reader, "fetch">;
  readonly #closing = new AbortController();
  readonly #patience: Patience;
  readonly url: string;

  constructor(reader: Pick<Reader, "fetch">, url: string, patience: Patience) {
    this.#reader = reader;
    this.url = url;
    this.#patience = patience;
  }

  close(): void {
    this.#closing.abort(new DOMException("Closed", "AbortError"));
  }

  /** Asks for a range, again and again while that may help. */
  async request(range: string, version?: string | null): Promise<Response> {
    return await this.persist(() => this.#ask(range, version));
  }

  /** Asks for a range, and refuses an answer that isn't just that, or the whole where it may be. */
  async requestPart(
    range: string,
    version: string | null,
    { expected, mayBeWhole = false }: {
      readonly expected: string;
      readonly mayBeWhole?: boolean;
    },
  ): Promise<Response> {
    const response = await this.request(range, version);
    const { status, headers, body } = response;
    const found = headers.get("content-range");
    const isWhole = mayBeWhole && status === 200;
    if (body === null || !isWhole && (status !== 206 || found !== expected)) {
      await body?.cancel().catch(() => {});
      throw changed(this.url, expected, `status ${status}, ${found ?? "no range"}`);
    }
    return response;
  }

  /** Does something again while it fails for a reason that may be gone in a moment. */
  async persist<T>(action: () => Promise<T>): Promise<T> {
    for (let attempt = 1;; attempt++) {
      try {
        return await action();
      } catch (cause) {
        await this.#pause(cause, attempt);
      }
    }
  }

  /** Waits before the next attempt; throws where there is none. */
  async #pause(cause: unknown, attempt: number): Promise<void> {
    this.#closing.signal.throwIfAborted();
    if (!(cause instanceof Temporary)) throw cause;
    const { attempts, pauseMs } = this.#patience;
    if (attempt >= attempts) {
      const { parts } = cause.error;
      throw attempts === 1 ? cause.error : failure(
        this.url,
        parts.wanted,
        `${parts.found}, ${attempts} times`,
        parts.remedy,
        parts.cause,
      );
    }
    const wait = Math.min(MAX_PAUSE_MS, cause.waitMs ?? pauseMs * 2 ** (attempt - 1));
    // Whoever failed together doesn't come back together.
    await this.#sleep(wait * (1 + Math.random() / 4));
  }

  #sleep(ms: number): Promise<void> {
    const { signal } = this.#closing;
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        clearTimeout(timer);
        reject(signal.reason);
      };
      const timer = setTimeout(() => {
        signal.removeEventListener("abort", onAbort);
        resolve();
      }, ms);
      signal.addEventListener("abort", onAbort, { once: true });
    });
  }

  async #ask(range: string, version: string | null | undefined): Promise<Response> {
    const { answerMs } = this.#patience;
    const answering = new AbortController();
    const end = () => answering.abort(this.#closing.signal.reason);
    this.#closing.signal.throwIfAborted();
    this.#closing.signal.addEventListener("abort", end, { once: true });
    const timer = setTimeout(() => answering.abort(new Silence()), answerMs);
    let response: Response;
    try {
      response = await this.#reader.fetch(this.url, {
        headers: {
          "range": `bytes=${range}`,
          // Compressed on the way, sizes and ranges would be those of other bytes.
          "accept-encoding": "identity",
          ...(version ? { "if-range": version } : {}),
        },
        signal: answering.signal,
      });
    } catch (cause) {
      this.#closing.signal.throwIfAborted();
      if (answering.signal.aborted) {
        throw new Temporary(
          failure(
            this.url,
            "an answer",
            `none within ${answerMs / 1000} s`,
            "Try again later, or download the file first",
          ),
        );
      }
      throw isRefusal(cause) ? cause : new Temporary(
        cause instanceof PlimsollError
          ? cause
          : failure(this.url, "an answer", String(cause), "Check the connection", cause),
      );
    } finally {
      clearTimeout(timer);
    }
    if (![408, 429].includes(response.status) && response.status < 500) return response;
    await response.body?.cancel().catch(() => {});
    throw new Temporary(
      failure(
        this.url,
        "a file",
        `status ${response.status} ${response.statusText}`.trim(),
        "Try again later, or download the file first",
      ),
      retryAfter(response),
    );
  }

  /** The body of an answer, goes on where it breaks off. */
  stream(
    first: Response,
    { byteLength, version, hasRanges }: {
      readonly byteLength: number | undefined;
      readonly version: string | null;
      readonly hasRanges: boolean;
    },
  ): ReadableStream<Uint8Array<ArrayBuffer>> {
    let body: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>> | undefined = first.body!
      .getReader() as ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>;
    let position = 0;
    let attempt = 0;
    const goOn = async () => {
      const response = await this.requestPart(`${position}-`, version, {
        expected: `bytes ${position}-${byteLength! - 1}/${byteLength}`,
        // Nothing has come yet: a server without ranges begins again just as well.
        mayBeWhole: position === 0,
      });
      body = response.body!.getReader() as typeof body;
    };
    return new ReadableStream({
      pull: async (controller) => {
        for (;;) {
          try {
            // All is here: how the connection ends is nobody's business.
            if (byteLength !== undefined && byteLength > 0 && position >= byteLength) {
              await body?.cancel().catch(() => {});
              return controller.close();
            }
            if (body === undefined) await goOn();
            const { done, value } = await this.#readSome(body!);
            if (!done) {
              position += value.length;
              attempt = 0;
              return controller.enqueue(value);
            }
            if (!byteLength) return controller.close();
            throw new Temporary(this.#brokenOff(position, byteLength));
          } catch (cause) {
            await body?.cancel().catch(() => {});
            body = undefined;
            const canGoOn = position === 0 || hasRanges;
            if (cause instanceof Temporary && !canGoOn) throw cause.error;
            await this.#pause(cause, ++attempt);
          }
        }
      },
      cancel: async (reason) => {
        this.close();
        await body?.cancel(reason).catch(() => {});
      },
    }, { highWaterMark: 0 });
  }

  /** The next piece of a body; a stall and a broken connection are temporary. */
  async #readSome(body: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>) {
    const { stallMs } = this.#patience;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const silence = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Silence()), stallMs);
    });
    try {
      return await Promise.race([body.read(), silence]);
    } catch (cause) {
      this.#closing.signal.throwIfAborted();
      const found = cause instanceof Silence
        ? `nothing for ${stallMs / 1000} s`
        : `${(cause as Error)?.message ?? cause}`;
      throw new Temporary(
        failure(this.url, "data to its end", found, "Check the connection, and try again", cause),
      );
    } finally {
      clearTimeout(timer);
    }
  }

  /** All of an answer, of at most so many bytes as were asked for. */
  async readWhole(response: Response, byteLength: number): Promise<ArrayBuffer> {
    const bytes = new Uint8Array(byteLength);
    let done = 0;
    const body = response.body!.getReader() as ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>;
    try {
      for (;;) {
        const part = await this.#readSome(body);
        if (part.done) break;
        if (done + part.value.length > byteLength) {
          throw changed(this.url, `${byteLength} bytes`, "more");
        }
        bytes.set(part.value, done);
        done += part.value.length;
      }
    } finally {
      await body.cancel().catch(() => {});
    }
    if (done < byteLength) throw new Temporary(this.#brokenOff(done, byteLength));
    return bytes.buffer;
  }

  #brokenOff(found: number, wanted: number): PlimsollError {
    return failure(
      this.url,
      `${wanted} bytes`,
      `an end behind ${found}`,
      "Check the connection, and try again",
    );
  }
}

/** Nothing came for too long. */
class Silence extends Error {}

/** Least bytes per request to a server; smaller wishes are served from what it sent before. */
const MIN_REQUEST_BYTES = 1 << 20;
/** Answers kept for that: enough for the arrays of an .npz read side by side. */
const KEPT_ANSWERS = 8;

function rangeReader(
  connection: Connection,
  byteLength: number,
  version: string | null,
): (start: number, end: number) => Promise<ArrayBuffer> {
  const answers: { start: number; bytes: ArrayBuffer }[] = [];
  return async function slice(start, end) {
    const known = answers.find((answer) =>
      answer.start <= start && end <= answer.start + answer.bytes.byteLength
    );
    if (known !== undefined) return known.bytes.slice(start - known.start, end - known.start);
    const stop = Math.min(byteLength, Math.max(end, start + MIN_REQUEST_BYTES));
    const bytes = await connection.persist(async () => {
      const range = `${start}-${stop - 1}`;
      const response = await connection.requestPart(range, version, {
        expected: `bytes ${range}/${byteLength}`,
      });
      return await connection.readWhole(response, stop - start);
    });
    if (end - start >= MIN_REQUEST_BYTES) return bytes;
    answers.push({ start, bytes });
    if (answers.length > KEPT_ANSWERS) answers.shift();
    return bytes.slice(0, end - start);
  };
}

/** Whether the host doesn't let us, which it won't in a moment either. */
function isRefusal(cause: unknown): boolean {
  const { name } = Object(cause instanceof PlimsollError ? cause.cause : cause) as Error;
  return name === "NotCapable" || name === "PermissionDenied";
}

/** Milliseconds that a server asks to wait, in seconds or as a date. */
function retryAfter({ headers }: Response): number | undefined {
  const text = headers.get("retry-after");
  if (text === null) return undefined;
  const ms = /^\d+$/.test(text.trim()) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}

function changed(url: string, wanted: string, found: string): PlimsollError {
  return failure(url, wanted, found, "Try again; the file may have changed meanwhile");
}

function failure(
  url: string,
  wanted: string,
  found: string,
  remedy: string,
  cause?: unknown,
): PlimsollError {
  const action = `fetching ${JSON.stringify(url)}`;
  return new PlimsollError("input", { action, wanted, found, remedy, cause });
}
