/**
 * A model while edits are made to it: changes are collected, and it is rebuilt once.
 *
 * @module
 */
import { create } from "@bufbuild/protobuf";
import { PlimsollError } from "../../../core/errors.ts";
import type { ActivationStorage, WeightStorage } from "../../../core/types.ts";
import { type Model, opsetVersion, withFields } from "../../../onnx/file/model.ts";
import {
  type NodeProto,
  OperatorSetIdProtoSchema,
  type TensorProto,
} from "../../../onnx/file/onnx_pb.ts";
import { makePackedTensor } from "../../../onnx/file/packed_tensor.ts";
import { dimensions, floatData, makeTensor, type TensorData } from "../../../onnx/file/tensor.ts";
import { editGraph } from "../../../onnx/graph/edit_graph.ts";
import { type AttributeValue, makeNode, nodeName } from "../../../onnx/graph/node.ts";

/** Types of codes in the file. */
export type CodeStorage = ActivationStorage | WeightStorage | "int32";

/** A float32 constant of the model. */
export interface FloatTensor {
  readonly name: string;
  readonly dims: number[];
  readonly data: Float32Array;
}

/** Set of ONNX Runtime's own operators. */
export const CONTRIB_DOMAIN = "com.microsoft";

/** Arrays of the types that fill whole bytes. */
const ARRAYS = {
  uint8: Uint8Array,
  int8: Int8Array,
  uint16: Uint16Array,
  int16: Int16Array,
  int32: Int32Array,
} as const;

/** Collects the changes of all edits; nodes are named as outlines name them. */
export class GraphEditor {
  /** The model as it was. */
  readonly model: Model;
  /** Version of the default operator set. */
  readonly opset: number;
  readonly #nodes: ReadonlyMap<string, NodeProto>;
  readonly #weights: ReadonlyMap<string, TensorProto>;
  readonly #graphInputs: ReadonlySet<string>;
  readonly #inputs = new Map<NodeProto, string[]>();
  readonly #outputs = new Map<NodeProto, string[]>();
  readonly #producer = new Map<string, NodeProto>();
  readonly #removed = new Set<NodeProto>();
  readonly #replaced = new Set<string>();
  readonly #added: NodeProto[] = [];
  readonly #initializers = new Map<string, TensorProto>();
  readonly #taken: Set<string>;
  #usesContrib = false;

  constructor(model: Model) {
    const { graph } = model;
    this.model = model;
    this.opset = opsetVersion(model);
    this.#nodes = new Map(graph.node.map((node) => [nodeName(node), node]));
    this.#weights = new Map(graph.initializer.map((tensor) => [tensor.name, tensor]));
    this.#graphInputs = new Set(graph.input.map(({ name }) => name));
    for (const node of graph.node) {
      this.#inputs.set(node, [...node.input]);
      this.#outputs.set(node, [...node.output]);
      for (const name of node.output) this.#producer.set(name, node);
    }
    this.#taken = new Set([
      ...this.#weights.keys(),
      ...this.#graphInputs,
      ...this.#producer.keys(),
      ...this.#nodes.keys(),
    ]);
  }

  /** The node of this name, as it was. */
  node(name: string): NodeProto {
    const node = this.#nodes.get(name);
    if (node === undefined) throw this.missing(`node ${JSON.stringify(name)}`);
    return node;
  }

  /** What a node reads by now; changes of the list are changes of the node. */
  inputsOf(node: NodeProto): string[] {
    return this.#inputs.get(node)!;
  }

  /** What a node makes by now. */
  outputsOf(node: NodeProto): readonly string[] {
    return this.#outputs.get(node)!;
  }

  /** The node of the old model that makes a tensor by now; undefined for inputs and what was added. */
  producer(tensor: string): NodeProto | undefined {
    return this.#producer.get(tensor);
  }

  /** Whether a tensor is an input of the model. */
  isInput(tensor: string): boolean {
    return this.#graphInputs.has(tensor);
  }

  /** A float32 constant of the old model by its name. */
  floats(name: string): FloatTensor {
    const tensor = this.#weights.get(name);
    const data = tensor && floatData(tensor);
    if (data === undefined) throw this.missing(`float32 constant ${JSON.stringify(name)}`);
    return { name, dims: dimensions(tensor!), data };
  }

  /** The float32 constant that a node read in the old model. */
  constant(node: string, input: number): FloatTensor {
    return this.floats(this.node(node).input[input]);
  }

  /** Takes a node out; what it made, something else has to make. */
  remove(node: NodeProto): void {
    for (const name of this.outputsOf(node)) {
      if (this.#producer.get(name) === node) this.#producer.delete(name);
    }
    this.#removed.add(node);
  }

  /** Calls an output of a node something else; its readers keep the old name. */
  rename(producer: NodeProto, from: string, to: string): void {
    const outputs = this.#outputs.get(producer)!;
    outputs[outputs.indexOf(from)] = to;
    this.#producer.delete(from);
    this.#producer.set(to, producer);
  }

  /** Lets all that read a tensor read another one. */
  redirect(from: string, to: string): void {
    for (const inputs of this.#inputs.values()) {
      for (let i = 0; i < inputs.length; i++) if (inputs[i] === from) inputs[i] = to;
    }
  }

  /** Takes a constant's name for a tensor that nodes make, so that no reader has to change. */
  replaceConstant(name: string): void {
    this.#replaced.add(name);
  }

  /** Adds an initializer and returns its name; `dims` empty for a scalar. */
  tensor(name: string, dims: readonly number[], data: TensorData): string {
    return this.initializer(name, (fresh) => makeTensor(fresh, dims, data));
  }

  /** Adds an initializer of codes and returns its name. */
  codes(
    name: string,
    dims: readonly number[],
    codes: ArrayLike<number>,
    storage: CodeStorage,
  ): string {
    if (storage !== "int4" && storage !== "uint4") {
      return this.tensor(name, dims, ARRAYS[storage].from(codes));
    }
    return this.initializer(name, (fresh) => makePackedTensor(fresh, dims, codes, storage));
  }

  /** Adds an initializer of whatever type and returns its name. */
  initializer(name: string, make: (name: string) => TensorProto): string {
    const fresh = this.fresh(name);
    this.#initializers.set(fresh, make(fresh));
    return fresh;
  }

  /** Adds a node, called after its output unless it takes another's name. */
  add(
    op: string,
    inputs: string[],
    output: string,
    { attributes = {}, domain = "", name }: {
      readonly attributes?: Readonly<Record<string, AttributeValue>>;
      readonly domain?: string;
      readonly name?: string;
    } = {},
  ): void {
    const own = name ?? this.fresh(`${output}/${op}`);
    const node = makeNode(op, own, inputs, [output], attributes);
    this.addNode(domain === "" ? node : withFields(node, { domain }));
  }

  /** Adds a node as it is. */
  addNode(node: NodeProto): void {
    if (node.domain === CONTRIB_DOMAIN) this.#usesContrib = true;
    this.#added.push(node);
  }

  /** A name that the model doesn't use. */
  fresh(name: string): string {
    let fresh = name;
    for (let i = 2; this.#taken.has(fresh); i++) fresh = `${name}_${i}`;
    this.#taken.add(fresh);
    return fresh;
  }

  /** What a manifest names and the model doesn't have. */
  missing(what: string): PlimsollError {
    return new PlimsollError("model", {
      action: "emitting the quantized model",
      wanted: `${what}, which the manifest names`,
      found: "a model without it",
      remedy: "Emit from the model that the manifest was made for",
    });
  }

  /** The model with all changes. */
  finish(): Model {
    const replace = new Map<NodeProto, NodeProto>();
    for (const node of this.model.graph.node) {
      if (this.#removed.has(node)) continue;
      replace.set(
        node,
        withFields(node, { input: this.#inputs.get(node)!, output: this.#outputs.get(node)! }),
      );
    }
    return editGraph(this.#base(), {
      remove: this.#removed,
      replace,
      add: this.#added,
      initializers: [...this.#initializers.values()],
    });
  }

  /** The old model without constants whose names nodes take, and with the operator sets that were added. */
  #base(): Model {
    const { opsetImport, graph } = this.model;
    const isThere = opsetImport.some(({ domain }) => domain === CONTRIB_DOMAIN);
    const added = create(OperatorSetIdProtoSchema, { domain: CONTRIB_DOMAIN, version: 1n });
    const isReplaced = ({ name }: { readonly name: string }) => this.#replaced.has(name);
    return withFields<Model>(this.model, {
      ...(this.#usesContrib && !isThere ? { opsetImport: [...opsetImport, added] } : {}),
      ...(this.#replaced.size === 0 ? {} : {
        graph: withFields(graph, {
          initializer: graph.initializer.filter((tensor) => !isReplaced(tensor)),
          // Before opset 9 constants were inputs, too.
          input: graph.input.filter((value) => !isReplaced(value)),
        }),
      }),
    });
  }
}
