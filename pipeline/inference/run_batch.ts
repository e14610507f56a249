/**
 * A batch through a model, in one run where the model takes it so.
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";
import type { InputTensor, Tensor } from "../../core/tensor.ts";
import type { InferenceSession } from "./runtime.ts";

/** Sessions whose models take one sample at a time, whatever their inputs say: a batch of 1 is written into them. */
const single = new WeakSet<InferenceSession>();

/** Told once for each session that batches don't run. */
export type OnSingle = (text: string) => void;

/**
 * Runs a batch. Where the model refuses it but takes its samples one by one, they are run so, from then on without
 * trying: a free batch axis may lead to a Reshape that has 1 written into it.
 *
 * @param size Samples in the batch, along axis 0 of every input.
 * @throws {PlimsollError} what a run throws, where single samples fail as well.
 */
export async function runBatch(
  session: InferenceSession,
  feeds: ReadonlyMap<string, InputTensor>,
  outputs: readonly string[],
  size: number,
  onSingle?: OnSingle,
): Promise<Map<string, Tensor>> {
  if (size === 1) return await session.run(feeds, outputs);
  if (single.has(session)) return await runSingles(session, feeds, outputs, size);
  try {
    return await session.run(feeds, outputs);
  } catch (error) {
    if (!(error instanceof PlimsollError && error.kind === "runtime") || isMemory(error)) {
      throw error;
    }
    const found = await runSingles(session, feeds, outputs, size).catch(() => {
      throw error;
    });
    single.add(session);
    onSingle?.(
      `the model takes one sample a run, though its input says any number: ${error.parts.found}`,
    );
    return found;
  }
}

function isMemory({ parts }: PlimsollError): boolean {
  return /memory/.test(parts.found);
}

async function runSingles(
  session: InferenceSession,
  feeds: ReadonlyMap<string, InputTensor>,
  outputs: readonly string[],
  size: number,
): Promise<Map<string, Tensor>> {
  const runs: Map<string, Tensor>[] = [];
  for (let i = 0; i < size; i++) {
    const part = new Map([...feeds].map(([name, { data, dims }]) => {
      const length = data.length / size;
      const values = data.slice(i * length, (i + 1) * length);
      return [name, { data: values, dims: [1, ...dims.slice(1)] } as InputTensor];
    }));
    runs.push(await session.run(part, outputs));
  }
  return new Map(outputs.map((name) => [name, joined(runs.map((run) => run.get(name)!))]));
}

/** Outputs of single samples along axis 0. */
function joined(parts: readonly Tensor[]): Tensor {
  const [{ data, dims }] = parts;
  const make = data.constructor as new (length: number) => Float32Array;
  const all = new make(parts.reduce((sum, part) => sum + part.data.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part.data, at);
    at += part.data.length;
  }
  return { data: all, dims: [parts.length * (dims[0] ?? 1), ...dims.slice(1)] };
}
