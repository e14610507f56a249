/**
 * Nodes and their attributes.
 *
 * @module
 */
import { create } from "@bufbuild/protobuf";
import {
  type AttributeProto,
  AttributeProto_AttributeType,
  AttributeProtoSchema,
  type GraphProto,
  type NodeProto,
  NodeProtoSchema,
} from "../file/onnx_pb.ts";
import { PlimsollError } from "../../core/errors.ts";
import { withFields } from "../file/model.ts";

/** Value of an attribute that the quantizer reads or writes. */
export type AttributeValue = number | string | readonly number[];

const { FLOAT, INT, STRING, FLOATS, INTS } = AttributeProto_AttributeType;
const decoder = new TextDecoder();
const encoder = new TextEncoder();

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

/** List of integers of a node; undefined when the node doesn't have it. */
export function intsAttribute(node: NodeProto, name: string): number[] | undefined {
  return node.attribute.find((entry) => entry.name === name)?.ints.map(Number);
}

/** String attribute of a node. */
export function stringAttribute(node: NodeProto, name: string, fallback: string): string {
  const attribute = node.attribute.find((entry) => entry.name === name);
  return attribute === undefined ? fallback : decoder.decode(attribute.s);
}

/** Whether a node is an operator of the default set (`ai.onnx`) of one of these types. */
export function isOperator(node: NodeProto, ...types: readonly string[]): boolean {
  return (node.domain === "" || node.domain === "ai.onnx") && types.includes(node.opType);
}

/**
 * A copy of a node with some attributes set, and those whose value is undefined taken out. Numbers
 * become INT and lists INTS.
 */
export function withAttributes(
  node: NodeProto,
  values: Readonly<Record<string, AttributeValue | undefined>>,
): NodeProto {
  const attribute = node.attribute.filter(({ name }) => !Object.hasOwn(values, name));
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined) attribute.push(makeAttribute(name, value));
  }
  return withFields(node, { attribute });
}

function makeAttribute(name: string, value: AttributeValue): AttributeProto {
  const odd = [value].flat().find((x) => typeof x === "number" && !Number.isSafeInteger(x));
  if (odd !== undefined) {
    // Numbers of the model itself: its padding, axes or sizes as floats.
    throw new PlimsollError("model", {
      action: `rewriting the model, attribute ${name}`,
      wanted: "whole numbers",
      found: `${odd}`,
      remedy: "Check the model with onnx.checker and export it again",
    });
  }
  if (typeof value === "number") {
    return create(AttributeProtoSchema, { name, type: INT, i: BigInt(value) });
  }
  if (typeof value === "string") {
    return create(AttributeProtoSchema, { name, type: STRING, s: encoder.encode(value) });
  }
  return create(AttributeProtoSchema, { name, type: INTS, ints: value.map(BigInt) });
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

/** Name of a node, in outlines, manifests and messages: that of its first output when it has none. */
export function nodeName({ name, output }: NodeProto): string {
  return name || output[0];
}

/** How messages call a node. */
export function describeNode(node: NodeProto): string {
  return `${node.opType} ${JSON.stringify(nodeName(node))}`;
}

/** Makes a node; numbers become INT attributes and lists INTS. */
export function makeNode(
  opType: string,
  name: string,
  input: string[],
  output: string[],
  attributes: Readonly<Record<string, AttributeValue>> = {},
): NodeProto {
  const attribute = Object.entries(attributes).map(([key, value]) => makeAttribute(key, value));
  return create(NodeProtoSchema, { opType, name, input, output, attribute });
}

/** Sub-graphs that a node carries (If, Loop, Scan). */
export function subgraphs(node: NodeProto): GraphProto[] {
  return node.attribute.flatMap((attribute) =>
    attribute.g === undefined ? attribute.graphs : [attribute.g, ...attribute.graphs]
  );
}
