/** Models at every graph optimization level of both runtimes: what holds at one level need not hold at another. */
import { InferenceSession, Tensor as NodeTensor } from "onnxruntime-node";
import * as web from "onnxruntime-web/wasm";
import { type Model, readModel } from "../../onnx/file/model.ts";
import type { Tensor } from "../../core/tensor.ts";
import { sqnr } from "./quantize_architecture.ts";
import { runModel } from "./run_model.ts";

/** Graph optimization levels, as sessions call them. */
export const LEVELS = ["disabled", "basic", "extended", "all"] as const;
export type Level = typeof LEVELS[number];

type Feeds = Readonly<Record<string, Tensor>>;

/**
 * Outputs of a model in onnxruntime-web and onnxruntime-node at one level.
 *
 * @throws What a runtime throws when it refuses the model.
 */
export async function runAtLevel(
  file: Uint8Array,
  feeds: Feeds,
  level: Level,
): Promise<[runtime: string, outputs: Map<string, Tensor>][]> {
  // The product's session first: it starts the runtime with the binary that it found.
  const options = { graphOptimizationLevel: level, logSeverityLevel: 4 } as const;
  const results: [string, Map<string, Tensor>][] = [];
  for (const [name, { InferenceSession: Session, Tensor: TensorOf }] of RUNTIMES) {
    const session = await Session.create(file, options);
    const inputs = Object.entries(feeds).map(([key, { data, dims }]) =>
      [key, new TensorOf("float32", data, [...dims])] as const
    );
    const found = await session.run(Object.fromEntries(inputs));
    const outputs = session.outputNames.map((key) => {
      const { data, dims } = found[key];
      return [key, { data: (data as Float32Array).slice(), dims }] as const;
    });
    await session.release();
    results.push([name, new Map(outputs)]);
  }
  return results;
}

const RUNTIMES = [
  ["onnxruntime-web", web],
  ["onnxruntime-node", { InferenceSession, Tensor: NodeTensor }],
] as unknown as readonly [string, typeof web][];

/**
 * SQNR in dB of each output against a float model, by level and runtime, as "all, onnxruntime-web, y".
 *
 * @param feeds Several samples; errors and signals of all count together.
 */
export async function decibelsAtLevels(
  float: Model,
  file: Uint8Array,
  feeds: readonly Feeds[],
): Promise<Map<string, number>> {
  const references = [];
  for (const feed of feeds) references.push(await runModel(float, { ...feed }));
  const parts = new Map<string, { reference: number[]; found: number[] }>();
  for (const level of LEVELS) {
    for (const [i, feed] of feeds.entries()) {
      for (const [runtime, outputs] of await runAtLevel(file, feed, level)) {
        for (const [name, { data }] of references[i]) {
          const key = `${level}, ${runtime}, ${name}`;
          const part = parts.get(key) ?? { reference: [], found: [] };
          part.reference.push(...data);
          part.found.push(...outputs.get(name)!.data);
          parts.set(key, part);
        }
      }
    }
  }
  return new Map(
    [...parts].map(([key, { reference, found }]) =>
      [key, sqnr(Float32Array.from(reference), Float32Array.from(found))] as const
    ),
  );
}

/** The operators that a model is made of, constants aside. */
export function operatorsOf(file: Uint8Array): string[] {
  return readModel(file, "the model").graph.node.map(({ opType }) => opType);
}
