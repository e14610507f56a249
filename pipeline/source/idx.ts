/**
 * The IDX container of the MNIST family (http://yann.lecun.com/exdb/mnist, "file format").
 *
 *     0  u16  0
 *     2  u8   element type; 8 = unsigned byte
 *     3  u8   rank
 *     4  u32  size of each axis, big-endian; the first counts the items
 *        ...  the elements, row-major
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";
import { elementCount } from "../../onnx/file/tensor.ts";
import { ByteReader } from "./byte_reader.ts";

/** Items of an IDX file, read on demand. */
export interface IdxItems {
  /** Number of items that the header promises. */
  readonly count: number;
  /** Shape of one item; empty for labels. */
  readonly shape: readonly number[];
  /** One item at a time. Consume it or cancel it. Errors when the file ends early. */
  readonly items: ReadableStream<Uint8Array>;
}

const UNSIGNED_BYTE = 8;
const MAX_ITEM_BYTES = 2 ** 28;

/**
 * Reads the header of an IDX file of unsigned bytes and returns its items as a stream.
 *
 * @param stream The file, not compressed.
 * @param name How error messages call it.
 * @throws {PlimsollError} kind `input` when it is no such file.
 */
export async function readIdx(stream: ReadableStream<Uint8Array>, name: string): Promise<IdxItems> {
  const bytes = new ByteReader(stream);
  const action = `reading ${JSON.stringify(name)}`;
  const fail = async (found: string, remedy: string) => {
    const error = new PlimsollError("input", {
      action,
      wanted: "an IDX file of unsigned bytes (MNIST family), plain or gzip",
      found,
      remedy,
    });
    await bytes.cancel(error).catch(() => {});
    return error;
  };
  let magic: Uint8Array;
  try {
    magic = await bytes.read(4);
  } catch (cause) {
    throw await fail(`data that can't be read (${(cause as Error).message})`, "Download it again");
  }
  if (magic.length === 0) throw await fail("an empty file", "Give a file with samples");
  const [zero0, zero1, type, rank] = magic;
  if (
    magic.length < 4 || zero0 !== 0 || zero1 !== 0 || type !== UNSIGNED_BYTE || rank < 1 || rank > 4
  ) {
    const hex = Array.from(magic, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
    throw await fail(
      `a file that begins with ${hex}`,
      "Give an IDX file; other containers are not supported yet",
    );
  }
  const header = await bytes.read(4 * rank);
  if (header.length < 4 * rank) {
    throw await fail("a file cut off in its header", "Download it again");
  }
  const view = new DataView(header.buffer, header.byteOffset);
  const [count, ...shape] = Array.from({ length: rank }, (_, axis) => view.getUint32(4 * axis));
  const itemBytes = elementCount(shape);
  if (count === 0 || itemBytes === 0) {
    throw await fail("a file without samples", "Give a file with samples");
  }
  if (itemBytes > MAX_ITEM_BYTES) {
    throw await fail(`items of ${itemBytes} bytes`, "Check that the file is whole");
  }

  let index = 0;
  const items = new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      if (index === count) return controller.close();
      const item = await bytes.read(itemBytes).catch((cause) => {
        throw new PlimsollError("input", {
          action,
          wanted: `${count} samples`,
          found: `damaged data after ${index} of them (${(cause as Error).message})`,
          remedy: "Download the file again",
          cause,
        });
      });
      if (item.length < itemBytes) {
        throw new PlimsollError("input", {
          action,
          wanted: `${count} samples, as its header says`,
          found: `the end of the file after ${index} whole ones`,
          remedy: "Download the file again",
        });
      }
      index++;
      controller.enqueue(item);
    },
    cancel: (reason) => bytes.cancel(reason),
  }, { highWaterMark: 0 });
  return { count, shape, items };
}
