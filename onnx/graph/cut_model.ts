/**
 * A piece of a model: what lies between some of its tensors and others, as a model of its own.
 *
 * @module
 */
import { create } from "@bufbuild/protobuf";
import {
  type NodeProto,
  TensorProto_DataType,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from "../file/onnx_pb.ts";
import { type Model, withFields } from "../file/model.ts";
import { reads } from "./graph_index.ts";

/**
 * The nodes that lead from `inputs` to `outputs`, and the constants that they read.
 *
 * @param inputs Tensors that may be fed, by name, with their element types; those that nothing needs are left out.
 * @param outputs Tensors that are wanted.
 */
export function cutModel(
  model: Model,
  inputs: ReadonlyMap<string, TensorProto_DataType>,
  outputs: readonly string[],
): Model {
  const { graph } = model;
  const { needed, met } = nodesBehind(graph.node, outputs, (name) => inputs.has(name));
  const node = graph.node.filter((each) => needed.has(each));
  const read = new Set(node.flatMap((each) => [...reads(each)]));
  const own = new Map(graph.input.map((info) => [info.name, info]));
  return withFields<Model>(model, {
    graph: withFields(graph, {
      node,
      input: [...inputs].filter(([name]) => met.has(name))
        .map(([name, type]) => own.get(name) ?? valueOf(name, type)),
      output: outputs.map((name) => valueOf(name, TensorProto_DataType.UNDEFINED)),
      initializer: graph.initializer.filter(({ name }) => read.has(name)),
      valueInfo: [],
    }),
  });
}

/** The nodes that tensors come from, as far back as `isEnd` lets them be followed, and where it ended them. */
export function nodesBehind(
  nodes: readonly NodeProto[],
  tensors: readonly string[],
  isEnd: (name: string) => boolean,
): { needed: Set<NodeProto>; met: Set<string> } {
  const makers = new Map(nodes.flatMap((node) => node.output.map((name) => [name, node] as const)));
  const needed = new Set<NodeProto>();
  const met = new Set<string>();
  const left = [...tensors];
  for (let name = left.pop(); name !== undefined; name = left.pop()) {
    if (isEnd(name)) {
      met.add(name);
      continue;
    }
    const node = makers.get(name);
    if (node === undefined || needed.has(node)) continue;
    needed.add(node);
    left.push(...reads(node));
  }
  return { needed, met };
}

/** Without a type where the runtime finds out itself, as for outputs. */
function valueOf(name: string, elemType: TensorProto_DataType): ValueInfoProto {
  return elemType === TensorProto_DataType.UNDEFINED
    ? create(ValueInfoProtoSchema, { name })
    : create(ValueInfoProtoSchema, {
      name,
      type: { value: { case: "tensorType", value: { elemType } } },
    });
}
