/**
 * Look-ups over the outline of a graph.
 *
 * @module
 */
import type { GraphOutline, OutlineConstant, OutlineNode } from "../../onnx/graph/outline.ts";
import { elementTypes } from "../../onnx/operators/operators.ts";
import { maskedTensors } from "./masks.ts";

/** An outline with an index: who makes a tensor, who reads it, of what type it is. */
export class GraphView {
  readonly outline: GraphOutline;
  readonly #types: ReturnType<typeof elementTypes>;
  readonly #masked: ReadonlySet<string>;
  readonly #producers = new Map<string, OutlineNode>();
  readonly #readers = new Map<string, OutlineNode[]>();
  readonly #outputs: ReadonlySet<string>;

  /** Indexes an outline in one pass. */
  constructor(outline: GraphOutline) {
    this.outline = outline;
    this.#types = elementTypes(outline);
    this.#masked = maskedTensors(outline);
    this.#outputs = new Set(outline.outputs.map(({ name }) => name));
    for (const node of outline.nodes) {
      for (const name of node.outputs) this.#producers.set(name, node);
      for (const name of new Set([...node.inputs, ...node.captures])) {
        const readers = this.#readers.get(name);
        if (readers === undefined) this.#readers.set(name, [node]);
        else readers.push(node);
      }
    }
  }

  /** Whether a tensor is float32. */
  isFloat(name: string): boolean {
    return this.#types.get(name) === "float";
  }

  /** Whether a tensor holds a mask, whose values no grid can hold beside others. */
  isMasked(name: string): boolean {
    return this.#masked.has(name);
  }

  /** Whether a tensor is an output of the model. */
  isOutput(name: string): boolean {
    return this.#outputs.has(name);
  }

  /** The constant of this name, if it is one. */
  constant(name: string | undefined): OutlineConstant | undefined {
    return name === undefined || !Object.hasOwn(this.outline.constants, name)
      ? undefined
      : this.outline.constants[name];
  }

  /** The node that makes a tensor; undefined for inputs of the model and constants. */
  producer(name: string): OutlineNode | undefined {
    return this.#producers.get(name);
  }

  /** The nodes that read a tensor, each once; those whose sub-graphs do are among them. */
  readers(name: string): readonly OutlineNode[] {
    return this.#readers.get(name) ?? [];
  }

  /** Inputs of the model, then outputs of nodes, in topological order. */
  *tensors(): Iterable<string> {
    for (const { name } of this.outline.inputs) yield name;
    for (const { outputs } of this.outline.nodes) {
      for (const name of outputs) if (name !== "") yield name;
    }
  }
}
