/**
 * Progress and results as events: server-sent events, or one JSON document a line.
 *
 * @module
 */
import type { Progress } from "../../core/progress.ts";
import type { ResultFile } from "./operation.ts";
import { type Problem, type ProblemDocument, problemDocument } from "./problem.ts";
import { pieces } from "./results.ts";

/** Media types of event streams. */
export const EVENT_TYPES = ["text/event-stream", "application/x-ndjson"] as const;

/** A media type of event streams. */
export type EventType = (typeof EVENT_TYPES)[number];

/** What is told while a request is at work. */
export type Event =
  /** How far it is. Some may be left out when the client is slow. */
  | ({ readonly event: "progress" } & Progress)
  /** Something to know: samples that were left out, what an imported target loses. */
  | { readonly event: "note"; readonly text: string }
  /** A file follows. */
  | { readonly event: "file"; readonly name: string; readonly type: string; readonly bytes: number }
  /** A piece of it; the texts of all pieces together are the base64 of the file. */
  | { readonly event: "data"; readonly name: string; readonly base64: string }
  /** All files are sent. Without this the stream was cut off. */
  | { readonly event: "done" }
  /** It went wrong. Nothing follows. */
  | { readonly event: "problem"; readonly problem: ProblemDocument };

/** The event stream that a request asks for, if it does. */
export function wantedEvents(headers: Headers): EventType | undefined {
  const wanted = (headers.get("accept") ?? "").split(",").map((part) => part.split(";")[0].trim());
  return EVENT_TYPES.find((type) => wanted.includes(type));
}

/** Writes events as fast as they are taken. */
export class EventWriter {
  /** What the client gets. */
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #type: EventType;

  /** Nothing is written yet. */
  constructor(type: EventType) {
    const { readable, writable } = new TransformStream<
      Uint8Array<ArrayBuffer>,
      Uint8Array<ArrayBuffer>
    >();
    this.#type = type;
    this.readable = readable;
    this.#writer = writable.getWriter();
  }

  /** Tells something that may be left out: nothing waits when the client is slow. */
  tell(event: Event): void {
    if ((this.#writer.desiredSize ?? 0) > 0) {
      this.#writer.write(this.#encode(event)).catch(() => {});
    }
  }

  /** Sends files, each piece when the one before was taken. */
  async send(files: readonly ResultFile[]): Promise<void> {
    for (const { name, type, bytes } of files) {
      await this.#write({ event: "file", name, type, bytes: bytes.length });
      for (const piece of pieces(bytes)) {
        await this.#write({ event: "data", name, base64: encodeBase64(piece) });
      }
    }
    await this.#write({ event: "done" });
    await this.#writer.close();
  }

  /** Ends with a problem. */
  async fail(problem: Problem): Promise<void> {
    await this.#write({ event: "problem", problem: problemDocument(problem) });
    await this.#writer.close();
  }

  async #write(event: Event): Promise<void> {
    await this.#writer.ready;
    await this.#writer.write(this.#encode(event));
  }

  #encode(event: Event): Uint8Array<ArrayBuffer> {
    const json = JSON.stringify(event);
    const text = this.#type === "application/x-ndjson"
      ? `${json}\n`
      : `event: ${event.event}\ndata: ${json}\n\n`;
    return new TextEncoder().encode(text);
  }
}

function encodeBase64(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 2 ** 13) {
    text += String.fromCharCode(...bytes.subarray(at, at + 2 ** 13));
  }
  return btoa(text);
}
