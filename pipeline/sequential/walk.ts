/**
 * A model that is run piece by piece: between two pieces the activations that later ones need are kept, so that each node
 * is computed once for each sample however many layers are looked at.
 *
 * @module
 */
import type { InputTensor } from "../../core/tensor.ts";
import type { Model } from "../../onnx/file/model.ts";
import { type NodeProto, TensorProto_DataType } from "../../onnx/file/onnx_pb.ts";
import { cutModel, nodesBehind } from "../../onnx/graph/cut_model.ts";
import { indexGraph, reads } from "../../onnx/graph/graph_index.ts";
import { inferTypes } from "../../onnx/operators/infer_types.ts";
import { createSession } from "../inference/default_runtime.ts";
import type { Runtime } from "../inference/runtime.ts";

/** Element types that activations can be kept in. */
const KEPT_TYPES: readonly TensorProto_DataType[] = [
  TensorProto_DataType.FLOAT,
  TensorProto_DataType.INT32,
  TensorProto_DataType.INT64,
  TensorProto_DataType.BOOL,
  TensorProto_DataType.UINT8,
];

/** A tensor would have to be kept whose type can't be. */
export class UnkeptTypeError extends Error {
  /** Says which. */
  constructor(readonly tensor: string) {
    super(`${tensor} has a type that can't be kept`);
  }
}

/** Activations of some runs, at a place in a model. */
export class Walk {
  #model: Model;
  readonly #runs: Map<string, InputTensor>[];
  /** Inputs that are the same for all runs. */
  readonly #constants: ReadonlyMap<string, InputTensor>;
  readonly #runtime: Runtime | undefined;
  /** Names of nodes that are done. */
  #done = new Set<string>();

  /** @param runs Feeds of each run. */
  constructor(
    model: Model,
    runs: readonly ReadonlyMap<string, InputTensor>[],
    { constants = new Map(), runtime }: {
      readonly constants?: ReadonlyMap<string, InputTensor>;
      readonly runtime?: Runtime;
    } = {},
  ) {
    this.#model = model;
    this.#runs = runs.map((feeds) => new Map(feeds));
    this.#constants = constants;
    this.#runtime = runtime;
  }

  /** The model as it is now. */
  get model(): Model {
    return this.#model;
  }

  /** Another model, in which only what isn't done yet differs; nodes that are the same have the same outputs. */
  change(model: Model): void {
    this.#model = model;
  }

  /** An activation that was advanced to last. */
  at(run: number, tensor: string): InputTensor {
    const found = this.#runs[run].get(tensor);
    if (found === undefined) throw new RangeError(`${tensor} isn't kept`);
    return found;
  }

  /** Adds to each channel of an activation, in every run; `stride` elements from one channel to the next. */
  shift(tensor: string, shifts: Float64Array, stride: (dims: readonly number[]) => number): void {
    for (let run = 0; run < this.#runs.length; run++) {
      const { data, dims } = this.at(run, tensor);
      const width = stride(dims);
      for (let i = 0; i < data.length; i++) {
        data[i] = Number(data[i]) + shifts[Math.floor(i / width) % shifts.length];
      }
    }
  }

  /**
   * Computes all that a tensor takes, in every run, and forgets what nothing needs any more.
   *
   * @throws {UnkeptTypeError} where what is needed later has a type that can't be kept.
   */
  async advance(tensor: string): Promise<void> {
    const { graph } = this.#model;
    const keyOf = (node: NodeProto) => node.output.join("\n");
    const { needed } = nodesBehind(graph.node, [tensor], (name) => this.#runs[0].has(name));
    for (const node of needed) this.#done.add(keyOf(node));
    const [done, left] = [true, false].map((isDone) =>
      graph.node.filter((node) => this.#done.has(keyOf(node)) === isDone)
    );
    const made = new Set([
      ...done.flatMap(({ output }) => output),
      ...graph.input.map(({ name }) => name),
    ]);
    const later = new Set([tensor, ...left.flatMap((node) => [...reads(node)])]);
    const kept = new Set(
      [...later].filter((name) => name !== "" && made.has(name) && !this.#constants.has(name)),
    );
    const fresh = [...kept].filter((name) => !this.#runs[0].has(name));
    if (fresh.length > 0) await this.#run(fresh);
    for (const run of this.#runs) {
      for (const name of [...run.keys()]) if (!kept.has(name)) run.delete(name);
    }
  }

  async #run(outputs: readonly string[]): Promise<void> {
    const types = inferTypes(this.#model.graph, indexGraph(this.#model.graph));
    const typeOf = (name: string) => {
      const type = types.get(name);
      if (type === undefined || !KEPT_TYPES.includes(type)) throw new UnkeptTypeError(name);
      return type;
    };
    outputs.forEach(typeOf);
    const inputs = [...this.#runs[0].keys(), ...this.#constants.keys()];
    const cut = cutModel(
      this.#model,
      new Map(inputs.map((name) => [name, typeOf(name)])),
      outputs,
    );
    await using session = await createSession(cut, {
      name: "a piece of the model",
      runtime: this.#runtime,
    });
    for (const run of this.#runs) {
      const feeds = new Map(
        session.inputs.map((name) => [name, run.get(name) ?? this.#constants.get(name)!]),
      );
      for (const [name, found] of await session.run(feeds, outputs)) run.set(name, found);
    }
  }
}
