/**
 * One view of a node, so that a rule about operators is written once: nodes of outlines are such views, and
 * {@linkcode viewNode} makes one of a model's node.
 *
 * @module
 */
import type { NodeProto } from "onnx-buf";
import { type AttributeValue, plainAttributes } from "./node.ts";

/** A node as rules see it. */
export interface NodeView {
  /** Operator type, as Conv. */
  readonly op: string;
  /** Empty for the default operator set. */
  readonly domain: string;
  /** Names of the tensors that it reads; empty for one left out. */
  readonly inputs: readonly string[];
  /** Names of the tensors that it makes. */
  readonly outputs: readonly string[];
  /** Attributes that are numbers, strings or lists of numbers. */
  readonly attributes: Readonly<Record<string, AttributeValue>>;
}

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
