/**
 * Nodes and their attributes.
 *
 * @module
 */
import { create } from "@bufbuild/protobuf";
import {
  AttributeProto_AttributeType,
  AttributeProtoSchema,
  type GraphProto,
  type NodeProto,
  NodeProtoSchema,
} from "onnx-buf";

/** Value of an attribute that the quantizer reads or writes. */
export type AttributeValue = number | string | readonly number[];

const { FLOAT, INT, STRING, FLOATS, INTS } = AttributeProto_AttributeType;
const decoder = new TextDecoder();

/** Integer attribute of a node. */
export function intAttribute(node: NodeProto, name: string, fallback: number): number {
  const attribute = node.attribute.find((entry) => entry.name === name);
  return attribute === undefined ? fallback : Number(attribute.i);
}

/** Float attribute of a node. */
export function floatAttribute(node: NodeProto, name: string, fallback: number): number {
  const attribute = node.attribute.find((entry) => entry.name === name);
  return attribute === undefined ? fallback : attribute.f;
}

/** All numbers and strings among a node's attributes; tensors and graphs are left out. */
export function plainAttributes(node: NodeProto): Record<string, AttributeValue> {
  const result: Record<string, AttributeValue> = {};
  for (const attribute of node.attribute) {
    const { name, type } = attribute;
    if (type === FLOAT) result[name] = attribute.f;
    else if (type === INT) result[name] = Number(attribute.i);
    else if (type === STRING) result[name] = decoder.decode(attribute.s);
    else if (type === FLOATS) result[name] = [...attribute.floats];
    else if (type === INTS) result[name] = attribute.ints.map(Number);
  }
  return result;
}

/** Makes a node with integer attributes, which are all that emission needs. */
export function makeNode(
  opType: string,
  name: string,
  input: string[],
  output: string[],
  attributes: Readonly<Record<string, number>> = {},
): NodeProto {
  const attribute = Object.entries(attributes).map(([key, value]) =>
    create(AttributeProtoSchema, { name: key, type: INT, i: BigInt(value) })
  );
  return create(NodeProtoSchema, { opType, name, input, output, attribute });
}

/** Sub-graphs that a node carries (If, Loop, Scan). */
export function subgraphs(node: NodeProto): GraphProto[] {
  return node.attribute.flatMap((attribute) =>
    attribute.g === undefined ? attribute.graphs : [attribute.g, ...attribute.graphs]
  );
}
