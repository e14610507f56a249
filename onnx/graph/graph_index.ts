/**
 * Read-only index of a graph: who makes a tensor, who reads it, what is constant, what comes first.
 *
 * @module
 */
import type { GraphProto, NodeProto, TensorProto } from "../file/onnx_pb.ts";
import { PlimsollError } from "../../core/errors.ts";
import { constantNumbers } from "./constant_value.ts";
import { subgraphs } from "./node.ts";
import type { Constants } from "./node_view.ts";
import type { GraphOutline, OutlineConstant, OutlineNode } from "./outline.ts";

/**
 * Index of one graph, a model's or an outline's. It describes the graph at the time of its making; make a new one
 * after edits.
 */
export interface GraphIndex<Node = NodeProto, Constant = TensorProto> extends Constants {
  /** The node that makes a tensor. Graph inputs and initializers have none. */
  readonly producers: ReadonlyMap<string, Node>;
  /** The nodes that read a tensor, each once, in topological order; sub-graphs count as their node. */
  readonly consumers: ReadonlyMap<string, readonly Node[]>;
  /** Constant tensors: initializers that the caller of the model can't override. */
  readonly initializers: ReadonlyMap<string, Constant>;
  /** Names of the graph's inputs without constant initializers. */
  readonly inputs: ReadonlySet<string>;
  /** Names of the graph's outputs. */
  readonly outputs: ReadonlySet<string>;
  /** Nodes in topological order; among equals, the order in the file. */
  readonly nodes: readonly Node[];
}

/** The node that reads a tensor, where nothing else does and the model doesn't give it out. */
export function onlyReader(
  tensor: string,
  { consumers, outputs }: Pick<GraphIndex, "consumers" | "outputs">,
): NodeProto | undefined {
  const readers = consumers.get(tensor) ?? [];
  return readers.length === 1 && !outputs.has(tensor) ? readers[0] : undefined;
}

/** Tensors of outer graphs that a node reads: its inputs and what its sub-graphs capture. */
export function reads(node: NodeProto): Set<string> {
  const names = new Set(node.input.filter((name) => name !== ""));
  for (const graph of subgraphs(node)) for (const name of captures(graph)) names.add(name);
  return names;
}

/** Names that a sub-graph uses without defining them. */
function captures(graph: GraphProto): Set<string> {
  const defined = new Set([
    ...graph.input.map(({ name }) => name),
    ...graph.initializer.map(({ name }) => name),
    ...graph.node.flatMap(({ output }) => output),
  ]);
  const used = [
    ...graph.node.flatMap((node) => [...reads(node)]),
    ...graph.output.map((o) => o.name),
  ];
  return new Set(used.filter((name) => !defined.has(name)));
}

/**
 * Indexes a graph in one pass over its nodes.
 *
 * @throws {PlimsollError} kind `model` when a tensor is made twice, or nodes form a cycle or read a
 * tensor that nothing makes.
 */
export function indexGraph(graph: GraphProto): GraphIndex {
  const fail = (wanted: string, found: string) =>
    new PlimsollError("model", {
      action: `reading graph ${JSON.stringify(graph.name)}`,
      wanted,
      found,
      remedy: "Check the model with onnx.checker and export it again",
    });
  const declared = namesOf(graph.input);
  const initializers = new Map(
    graph.initializer.filter(({ name }) => !declared.has(name)).map((
      tensor,
    ) => [tensor.name, tensor]),
  );
  const available = new Set([
    ...declared,
    ...initializers.keys(),
    ...graph.sparseInitializer.map((sparse) => sparse.values?.name ?? ""),
  ]);
  const producers = new Map<string, NodeProto>();
  for (const node of graph.node) {
    for (const name of node.output) {
      if (name === "") continue;
      if (producers.has(name) || available.has(name)) {
        throw fail("every tensor made once", `tensor ${JSON.stringify(name)} made twice`);
      }
      producers.set(name, node);
    }
  }
  const nodes = sortNodes(graph.node, available, producers, fail);
  return {
    producers,
    consumers: consumersOf(nodes, reads),
    initializers,
    inputs: declared,
    outputs: namesOf(graph.output),
    nodes,
    numbers: (name) => constantNumbers({ initializers }, name),
  };
}

/** Indexes an outline, whose nodes are sorted. Of its constants only small ones have their numbers. */
export function indexOutline(
  { nodes, inputs, outputs, constants }: GraphOutline,
): GraphIndex<OutlineNode, OutlineConstant> {
  const initializers = new Map(Object.entries(constants));
  return {
    producers: new Map(
      nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)),
    ),
    consumers: consumersOf(nodes, (node) => new Set([...node.inputs, ...node.captures])),
    initializers,
    inputs: namesOf(inputs),
    outputs: namesOf(outputs),
    nodes,
    numbers: (name = "") => initializers.get(name)?.values,
  };
}

function namesOf(values: readonly { readonly name: string }[]): Set<string> {
  return new Set(values.map(({ name }) => name));
}

function consumersOf<Node>(
  nodes: readonly Node[],
  reads: (node: Node) => Iterable<string>,
): Map<string, Node[]> {
  const consumers = new Map<string, Node[]>();
  for (const node of nodes) {
    for (const name of reads(node)) {
      const list = consumers.get(name);
      if (list === undefined) consumers.set(name, [node]);
      else list.push(node);
    }
  }
  return consumers;
}

/** Depth-first from each node in file order, without recursion: graphs can be thousands deep. */
function sortNodes(
  nodes: readonly NodeProto[],
  available: ReadonlySet<string>,
  producers: ReadonlyMap<string, NodeProto>,
  fail: (wanted: string, found: string) => PlimsollError,
): NodeProto[] {
  const sorted: NodeProto[] = [];
  const state = new Map<NodeProto, "open" | "done">();
  for (const root of nodes) {
    const stack = [root];
    while (stack.length > 0) {
      const node = stack.at(-1)!;
      if (state.get(node) === "done") {
        stack.pop();
        continue;
      }
      const needed = new Set<NodeProto>();
      for (const name of reads(node)) {
        const producer = producers.get(name);
        if (producer === undefined && !available.has(name)) {
          throw fail(
            "every input made by a node, an initializer or the caller",
            `node ${JSON.stringify(node.name)} (${node.opType}) reading ${JSON.stringify(name)}`,
          );
        }
        if (producer !== undefined && state.get(producer) !== "done") needed.add(producer);
      }
      if (needed.size === 0) {
        state.set(node, "done");
        sorted.push(node);
        stack.pop();
      } else if (state.get(node) === "open") {
        throw fail(
          "no cycle",
          `a cycle through node ${JSON.stringify(node.name)} (${node.opType})`,
        );
      } else {
        state.set(node, "open");
        stack.push(...[...needed].reverse());
      }
    }
  }
  return sorted;
}
