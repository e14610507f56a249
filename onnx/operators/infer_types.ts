/**
 * Element types of tensors, as far as the file and the table of operators give them.
 *
 * @module
 */
import { type GraphProto, TensorProto_DataType, type ValueInfoProto } from "../file/onnx_pb.ts";
import type { GraphIndex } from "../graph/graph_index.ts";
import { type NodeView, viewNode } from "../graph/node_view.ts";
import type { ElementType, GraphOutline } from "../graph/outline.ts";
import { completeNode, operatorOf } from "./operators.ts";

/** ONNX element types by tensor name; a tensor of unknown type isn't there. */
export type ElementTypes = ReadonlyMap<string, TensorProto_DataType>;

/** Finds the element types of a graph: declared ones first, then from each operator's inputs. */
export function inferTypes(graph: GraphProto, index: GraphIndex): ElementTypes {
  const types = new Map<string, TensorProto_DataType>();
  for (const tensor of graph.initializer) types.set(tensor.name, tensor.dataType);
  for (const info of [...graph.output, ...graph.valueInfo, ...graph.input]) {
    const type = declaredType(info);
    if (type !== undefined) types.set(info.name, type);
  }
  for (const node of index.nodes.map(viewNode)) {
    node.outputs.forEach((name, position) => {
      const type = outputType(node, position, types, (fixed) => fixed);
      if (name !== "" && type !== undefined) types.set(name, type);
    });
  }
  return types;
}

/**
 * Element type of every tensor of an outline, as far as the operators tell. Shape arithmetic (Shape,
 * Gather, Add, Concat … on int64) must not be taken for activations.
 */
export function elementTypes(outline: GraphOutline): ReadonlyMap<string, ElementType> {
  const types = new Map<string, ElementType>();
  for (const { name, type } of outline.inputs) types.set(name, type);
  for (const [name, { type }] of Object.entries(outline.constants)) types.set(name, type);
  const asElement = (type: TensorProto_DataType) =>
    type === TensorProto_DataType.FLOAT ? "float" : "other";
  for (const node of outline.nodes) {
    node.outputs.forEach((name, position) => {
      const type = node.types === undefined
        // What isn't known most likely computes with what it reads.
        ? outputType(node, position, types, asElement) ?? types.get(node.inputs[0] ?? "")
        : node.types[position];
      types.set(name, type ?? "other");
    });
  }
  return types;
}

/** Type of one output by the operator's rule, in the terms of `types`; undefined where that isn't known. */
function outputType<Type>(
  node: NodeView,
  position: number,
  types: ReadonlyMap<string, Type>,
  name: (type: TensorProto_DataType) => Type,
): Type | undefined {
  const operator = operatorOf(node);
  if (operator === undefined) return undefined;
  const { types: rules = [{ input: 0 }] } = operator;
  const rule = rules[Math.min(position, rules.length - 1)];
  if (typeof rule !== "object") return rule === undefined ? undefined : name(rule);
  const { attribute, input, otherwise } = rule;
  const written = attribute === undefined ? 0 : completeNode(node, operator).attributes[attribute];
  if (typeof written === "number" && written !== 0) return name(written);
  const read = input === undefined ? undefined : types.get(node.inputs[input] ?? "");
  return read ?? (otherwise === undefined ? undefined : name(otherwise));
}

function declaredType({ type }: ValueInfoProto): TensorProto_DataType | undefined {
  return type?.value.case === "tensorType" ? type.value.value.elemType : undefined;
}
