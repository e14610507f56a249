/**
 * One view of a node, so that a rule about operators is written once: nodes of outlines are such views, and
 * {@linkcode viewNode} makes one of a model's node.
 *
 * @module
 */
import type { NodeProto } from "../file/onnx_pb.ts";
import { plainAttributes } from "./node.ts";
import type { OutlineNode } from "./outline.ts";

/** A node as rules see it. */
export type NodeView = Pick<OutlineNode, "op" | "domain" | "inputs" | "outputs" | "attributes">;

/** Constants of a graph, whether it is a model's or an outline's. */
export interface Constants {
  /** Elements of a constant, row-major; undefined for what is none, holds no numbers or isn't kept. */
  numbers(name: string | undefined): readonly number[] | undefined;
}

/** The view of a model's node. */
export function viewNode(node: NodeProto): NodeView {
  return {
    op: node.opType,
    domain: node.domain === "ai.onnx" ? "" : node.domain,
    inputs: node.input,
    outputs: node.output,
    get attributes() {
      return plainAttributes(node);
    },
  };
}
