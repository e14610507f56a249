/**
 * The one way to change a graph: a list of changes goes in, a new model comes out.
 *
 * @module
 */
import type { NodeProto, TensorProto } from "../file/onnx_pb.ts";
import { indexGraph, reads } from "./graph_index.ts";
import { type Model, withFields } from "../file/model.ts";

/** Changes to one graph. Everything is optional; what isn't named stays. */
export interface GraphChanges {
  /** Nodes to take out. */
  readonly remove?: ReadonlySet<NodeProto>;
  /** Nodes to exchange. */
  readonly replace?: ReadonlyMap<NodeProto, NodeProto>;
  /** Nodes to add; the result is sorted topologically, so their place doesn't matter. */
  readonly add?: readonly NodeProto[];
  /** Initializers to add; one of the same name is replaced. */
  readonly initializers?: readonly TensorProto[];
}

/** Repeats a pass until it gives back the very model that it got. */
export function repeatPass(model: Model, pass: (model: Model) => Model): Model {
  let current = model;
  for (;;) {
    const next = pass(current);
    if (next === current) return current;
    current = next;
  }
}

/**
 * Applies changes and returns a new model; the old one stays as it was, and both share what did not
 * change. Initializers and value infos that lose their last reader by these changes go; unused
 * ones that were there before stay.
 */
export function editGraph(model: Model, changes: GraphChanges): Model {
  const { graph } = model;
  const replace = changes.replace ?? new Map<NodeProto, NodeProto>();
  const kept = graph.node.filter((node) => !changes.remove?.has(node));
  const node = [...kept.map((old) => replace.get(old) ?? old), ...changes.add ?? []];

  const outputs = graph.output.map(({ name }) => name);
  const readBefore = new Set([...outputs, ...graph.node.flatMap((old) => [...reads(old)])]);
  const readNow = new Set([...outputs, ...node.flatMap((now) => [...reads(now)])]);
  const isDead = (name: string) => readBefore.has(name) && !readNow.has(name);

  const added = new Map((changes.initializers ?? []).map((tensor) => [tensor.name, tensor]));
  const initializer = graph.initializer.filter(({ name }) => !added.has(name) && !isDead(name));
  const made = new Set(node.flatMap(({ output }) => output));
  const valueInfo = graph.valueInfo.filter(({ name }) => made.has(name));
  const edited = withFields(graph, {
    node,
    initializer: [...initializer, ...added.values()],
    valueInfo,
  });
  const nodes = [...indexGraph(edited).nodes];
  return withFields<Model>(model, { graph: withFields(edited, { node: nodes }) });
}
