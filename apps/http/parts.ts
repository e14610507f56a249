/**
 * The parts of a multipart body, one after the other, each a stream: what isn't read yet isn't held.
 *
 * @module
 */
import { make, type MultipartError, type Parser, type PartInfo } from "multipasta";
import { tooLarge } from "./body.ts";
import { Problem } from "./problem.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** One part. */
export interface Part {
  /** Name of the form's field. */
  readonly name: string;
  /** Name of the file, without folders, when it has one. */
  readonly filename?: string;
  /** Its content, to be read before the next part is asked for. */
  readonly stream: ReadableStream<Bytes>;
}

/** Parts that a body may have. */
const MAX_PARTS = 16;

type Event =
  | { readonly kind: "part"; readonly info: PartInfo }
  | { readonly kind: "bytes"; readonly bytes: Bytes }
  | { readonly kind: "end" };

/**
 * Takes a multipart body apart. At most the events of one chunk of the body wait here: the next chunk is asked for
 * when they are used up.
 *
 * @throws {Problem} `input` while iterating when the body is no multipart body, or ends early.
 */
export async function* readParts(
  body: ReadableStream<Bytes>,
  contentType: string,
): AsyncGenerator<Part> {
  const reader = body.getReader();
  const events: Event[] = [];
  let failure: MultipartError | undefined;
  let isDone = false;
  const parser: Parser = make({
    headers: { "content-type": contentType },
    maxParts: MAX_PARTS,
    // Fields, too: their sizes are limited by who reads them.
    isFile: () => true,
    onField: () => {},
    onFile: (info) => {
      events.push({ kind: "part", info });
      return (bytes) =>
        events.push(bytes === null ? { kind: "end" } : { kind: "bytes", bytes: bytes as Bytes });
    },
    onError: (error) => failure ??= error,
    onDone: () => isDone = true,
  });
  if (failure !== undefined) throw broken(failure);

  const next = async (): Promise<Event | undefined> => {
    while (events.length === 0) {
      if (isDone) return undefined;
      const { done, value } = await reader.read();
      if (done) parser.end();
      else parser.write(value);
      if (failure !== undefined) throw broken(failure);
      if (done && events.length === 0) return undefined;
    }
    return events.shift();
  };

  try {
    while (true) {
      const event = await next();
      if (event === undefined) return;
      // What is left of a part that wasn't read to its end is passed over.
      if (event.kind !== "part") continue;
      const { name, filename } = event.info;
      yield {
        name,
        ...(filename === undefined ? {} : { filename: filename.split(/[/\\]/).at(-1)! }),
        stream: content(next),
      };
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

function content(next: () => Promise<Event | undefined>): ReadableStream<Bytes> {
  return new ReadableStream<Bytes>({
    pull: async (controller) => {
      const event = await next();
      if (event?.kind === "bytes") controller.enqueue(event.bytes);
      else controller.close();
    },
    // Nothing to do: whoever asks for the next part passes over the rest of this one.
  }, { highWaterMark: 0 });
}

/**
 * The whole of a part.
 *
 * @throws {Problem} `too-large`.
 */
export async function wholePart({ name, stream }: Part, maxBytes: number): Promise<Bytes> {
  const chunks: Bytes[] = [];
  let length = 0;
  for await (const chunk of stream) {
    length += chunk.length;
    if (length > maxBytes) throw tooLarge(`a part ${JSON.stringify(name)}`, maxBytes);
    chunks.push(chunk);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

function broken(error: MultipartError): Problem {
  const found = error._tag === "EndNotReached"
    ? "no closing boundary: it is cut off"
    : error._tag === "ReachedLimit"
    ? `more than ${MAX_PARTS} parts`
    : error._tag === "InvalidBoundary"
    ? "a content type without a boundary"
    : "a part whose headers can't be read";
  return new Problem(
    "input",
    `While reading the body: wanted multipart/form-data, found ${found}. Send it as curl -F does.`,
  );
}
