/**
 * Look-ups over the outline of a graph.
 *
 * @module
 */
import { type GraphIndex, indexOutline } from "../../onnx/graph/graph_index.ts";
import type { Constants } from "../../onnx/graph/node_view.ts";
import type { GraphOutline, OutlineConstant, OutlineNode } from "../../onnx/graph/outline.ts";
import { elementTypes } from "../../onnx/operators/infer_types.ts";
import { maskedTensors } from "./masks.ts";

/** An outline with its index, and what placement asks about its tensors. */
export class GraphView implements Constants {
  readonly outline: GraphOutline;
  readonly #index: GraphIndex<OutlineNode, OutlineConstant>;
  readonly #types: ReturnType<typeof elementTypes>;
  readonly #masked: ReadonlySet<string>;
  readonly #positions: ReadonlyMap<OutlineNode, number>;

  /** Indexes an outline in one pass. */
  constructor(outline: GraphOutline) {
    this.outline = outline;
    this.#index = indexOutline(outline);
    this.#types = elementTypes(outline);
    this.#masked = maskedTensors(outline);
    this.#positions = new Map(outline.nodes.map((node, i) => [node, i]));
  }

  /** Whether a tensor is float32. */
  isFloat(name: string): boolean {
    return this.#types.get(name) === "float";
  }

  /** Whether a tensor holds a mask, whose values no grid can hold beside others. */
  isMasked(name: string): boolean {
    return this.#masked.has(name);
  }

  /** Where a node stands in the topological order. */
  position(node: OutlineNode): number {
    return this.#positions.get(node)!;
  }

  /** Whether a tensor is an output of the model. */
  isOutput(name: string): boolean {
    return this.#index.outputs.has(name);
  }

  /** The constant of this name, if it is one. */
  constant(name: string | undefined): OutlineConstant | undefined {
    return this.#index.initializers.get(name ?? "");
  }

  /** Elements of a small constant. */
  numbers(name: string | undefined): readonly number[] | undefined {
    return this.#index.numbers(name);
  }

  /** The node that makes a tensor; undefined for inputs of the model and constants. */
  producer(name: string): OutlineNode | undefined {
    return this.#index.producers.get(name);
  }

  /** The nodes that read a tensor, each once; those whose sub-graphs do are among them. */
  readers(name: string): readonly OutlineNode[] {
    return this.#index.consumers.get(name) ?? [];
  }

  /** Inputs of the model, then outputs of nodes, in topological order. */
  *tensors(): Iterable<string> {
    yield* this.#index.inputs;
    for (const { outputs } of this.outline.nodes) {
      for (const name of outputs) if (name !== "") yield name;
    }
  }
}
