/**
 * Files on their way to the client, piece by piece.
 *
 * @module
 */
import { createTarPacker } from "modern-tar";
import type { ResultFile } from "./operation.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Bytes of a piece. A multiple of 3, so that pieces in base64 can be put together as text. */
const PIECE_BYTES = 3 * 2 ** 14;

/** Pieces of some bytes, without a copy. */
export function* pieces(bytes: Bytes): Generator<Bytes> {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) yield bytes.subarray(at, at + PIECE_BYTES);
}

/** A response with one file, or several as a tar. */
export function fileResponse(files: readonly ResultFile[], guard: SendGuard): Response {
  if (files.length === 1) {
    const [{ name, type, bytes }] = files;
    return new Response(guard(iterate(pieces(bytes))), {
      headers: {
        "content-type": type,
        "content-length": String(bytes.length),
        "content-disposition": `attachment; filename="${name}"`,
      },
    });
  }
  return new Response(guard(tarOf(files)), {
    headers: {
      "content-type": "application/x-tar",
      "content-disposition": 'attachment; filename="plimsoll.tar"',
    },
  });
}

/** Watches that the client takes what is sent; see `handler.ts`. */
export type SendGuard = (stream: ReadableStream<Bytes>) => ReadableStream<Bytes>;

function iterate(items: Generator<Bytes>): ReadableStream<Bytes> {
  return new ReadableStream({
    pull: (controller) => {
      const { done, value } = items.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
  }, { highWaterMark: 0 });
}

/** The same files give the same archive: its times are 1970. */
function tarOf(files: readonly ResultFile[]): ReadableStream<Bytes> {
  const { readable, controller } = createTarPacker();
  const write = async () => {
    for (const { name, bytes } of files) {
      const header = { name, size: bytes.length, mtime: new Date(0), mode: 0o644 };
      const writer = controller.add({ ...header, type: "file" }).getWriter();
      for (const piece of pieces(bytes)) await writer.write(piece);
      await writer.close();
    }
    controller.finalize();
  };
  write().catch((error) => controller.error(error));
  return readable as ReadableStream<Bytes>;
}
