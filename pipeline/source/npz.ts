/**
 * NumPy's .npz: a zip of arrays, which are the named inputs of a model and its labels.
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";
import type { InputTensor, RawSample } from "../../core/tensor.ts";
import { ByteReader } from "./byte_reader.ts";
import type { ByteSource } from "./byte_source.ts";
import { contentOf, cutOff, type NpyArray, readItem, readNpyHeader } from "./npy.ts";
import type { Records, Selection } from "./sample_source.ts";
import { zipMembers } from "./zip.ts";

/** Names of the array that holds the labels. */
const LABELS = ["label", "labels", "y"];
const MAX_ARRAYS = 256;

interface OpenArray {
  readonly name: string;
  readonly bytes: ByteReader;
  readonly array: NpyArray;
}

/**
 * Samples of an .npz file: its only array, or all of them by name. An array called `label`, `labels`
 * or `y` holds class indices; a single number is the same for every sample, such as a rate. All arrays are read side by side: holds one sample and what the
 * decompressors have at hand.
 *
 * @param source With random access.
 * @throws {PlimsollError} kind `input`.
 */
export async function readNpz(source: ByteSource, selection: Selection): Promise<Records> {
  const fail = (found: string, remedy: string) =>
    new PlimsollError("input", {
      action: `reading ${JSON.stringify(source.name)}`,
      wanted: "an .npz file of arrays with one first axis, the samples",
      found,
      remedy,
    });
  const all: OpenArray[] = [];
  const close = async () => {
    await Promise.all(all.map(({ bytes }) => bytes.cancel().catch(() => {})));
  };
  try {
    for await (const { path, stream } of zipMembers(source)) {
      if (!path.endsWith(".npy")) continue;
      if (all.length === MAX_ARRAYS) throw fail(`more than ${MAX_ARRAYS} arrays`, "Save fewer");
      const bytes = new ByteReader(stream());
      const name = path.slice(0, -4);
      const array = await readNpyHeader(bytes, `${source.name}/${path}`).catch(async (error) => {
        await bytes.cancel().catch(() => {});
        throw error;
      });
      all.push({ name, bytes, array });
    }
    const labels = all.find(({ name }) => LABELS.includes(name));
    const inputs = all.filter((array) => array !== labels);
    if (inputs.length === 0) throw fail(`${all.length} arrays, labels apart none`, "Save inputs");
    const total = all.find(({ array }) => array.count !== undefined)?.array.count;
    if (total === undefined || total === 0) {
      throw fail(
        total === 0 ? "arrays without samples" : "single numbers alone",
        "Save an array whose first axis counts the samples",
      );
    }
    if (inputs.every(({ array }) => array.itemBytes === 0)) {
      throw fail("inputs without elements", "Save some");
    }
    const odd = all.find(({ array }) => array.count !== undefined && array.count !== total);
    if (odd !== undefined) {
      throw fail(
        `${total} items in ${
          all.find(({ array }) => array.count === total)!.name
        } and ${odd.array.count} in ${odd.name}`,
        "Save as many items in each: one that is the same for all as a single number, or as " +
          "numpy.repeat(x[None], n, axis=0)",
      );
    }
    if (labels !== undefined && labels.array.count === undefined) {
      throw fail("a single label", "Save one class index a sample");
    }
    if (labels !== undefined && labels.array.shape.length > 0) {
      throw fail(`labels of shape [${labels.array.shape}] each`, "Save one class index a sample");
    }
    const isLabelled = labels !== undefined;
    const constants = new Map<OpenArray, Uint8Array<ArrayBuffer>>();
    for (const open of inputs) {
      if (open.array.count === undefined) {
        constants.set(open, await readOne(open));
      }
    }
    return { total, isLabelled, close, samples: samples(inputs, constants, labels, total) };
  } catch (error) {
    await close();
    throw error;
  }

  async function readOne({ bytes, array }: OpenArray): Promise<Uint8Array<ArrayBuffer>> {
    try {
      return await readItem(bytes, array, true);
    } catch (cause) {
      throw cutOff(source.name, 0, cause);
    }
  }

  async function* samples(
    inputs: readonly OpenArray[],
    constants: ReadonlyMap<OpenArray, Uint8Array<ArrayBuffer>>,
    labels: OpenArray | undefined,
    total: number,
  ): AsyncGenerator<RawSample> {
    try {
      for (let index = 0; index < total && !selection.isPast(index); index++) {
        const isWanted = selection.has(index);
        const readAll = async () => {
          const items = [];
          for (const open of inputs) {
            items.push(constants.get(open) ?? await readItem(open.bytes, open.array, isWanted));
          }
          const label = labels && await readItem(labels.bytes, labels.array, isWanted);
          return { items, label };
        };
        const read = await readAll().catch((cause) => cutOff(source.name, index, cause));
        if (read instanceof PlimsollError) return selection.onBroken(read);
        if (!isWanted) continue;
        const { items, label } = read;
        const content = inputs.length === 1
          ? contentOf(inputs[0].array, items[0])
          : { input: named(inputs, items) };
        yield {
          index,
          id: `${source.name}#${index}`,
          ...content,
          ...label === undefined ? {} : { label: Number(labels!.array.decode(label)[0]) },
        };
      }
    } finally {
      await close();
    }
  }
}

function named(
  inputs: readonly OpenArray[],
  items: readonly Uint8Array<ArrayBuffer>[],
): Record<string, InputTensor> {
  return Object.fromEntries(
    inputs.map(({ name, array }, i) => [name, {
      data: array.decode(items[i]),
      dims: array.shape,
    }]),
  );
}
