/**
 * Names for new tensors.
 *
 * @module
 */
import type { GraphProto } from "../file/onnx_pb.ts";
import { subgraphs } from "./node.ts";

/**
 * Returns a function that turns a wish into a name that no tensor or node of the graph or its sub-graphs has,
 * and that it didn't give before.
 */
export function nameMaker(graph: GraphProto): (wish: string) => string {
  const taken = new Set<string>();
  const collect = (inner: GraphProto) => {
    for (const { name } of [...inner.input, ...inner.output, ...inner.initializer]) taken.add(name);
    for (const node of inner.node) {
      if (node.name !== "") taken.add(node.name);
      for (const name of [...node.input, ...node.output]) taken.add(name);
      subgraphs(node).forEach(collect);
    }
  };
  collect(graph);
  return (wish) => {
    let name = wish;
    for (let n = 2; taken.has(name); n++) name = `${wish}_${n}`;
    taken.add(name);
    return name;
  };
}
