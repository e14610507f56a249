/**
 * Folding of constants: Constant nodes become initializers, and sub-graphs that depend on nothing
 * but constants are computed once and replaced by their results.
 *
 * @module
 */
import { create } from "@bufbuild/protobuf";
import {
  AttributeProto_AttributeType,
  type NodeProto,
  type TensorProto,
  TensorProto_DataType,
  ValueInfoProtoSchema,
} from "../file/onnx_pb.ts";
import { editGraph } from "../graph/edit_graph.ts";
import { indexGraph, reads } from "../graph/graph_index.ts";
import { type Model, withFields } from "../file/model.ts";
import { describeNode, intAttribute, isOperator, subgraphs } from "../graph/node.ts";
import { viewNode } from "../graph/node_view.ts";
import { operatorOf } from "../operators/operators.ts";
import { byteLength, dimensions, makeTensor } from "../file/tensor.ts";
import type { Shape } from "../operators/shape_rules.ts";
import { PlimsollError } from "../../core/errors.ts";
import { ELEMENT_BYTES, resultSize } from "./result_size.ts";

/**
 * Runs a model that has no inputs and returns all its outputs as tensors. Whoever has an ONNX
 * runtime can give one; this folder has none.
 */
export type ConstantRunner = (model: Model) => Promise<TensorProto[]>;

/** Turns every Constant node into an initializer of the same name. */
export function foldConstantNodes(model: Model): Model {
  const remove = new Set<NodeProto>();
  const initializers: TensorProto[] = [];
  const outputs = new Set(model.graph.output.map(({ name }) => name));
  for (const node of model.graph.node) {
    // A graph output can't be an initializer in every runtime: that Constant stays.
    if (node.opType !== "Constant" || outputs.has(node.output[0])) continue;
    const tensor = constantValue(node);
    if (tensor === undefined) continue;
    remove.add(node);
    initializers.push(withFields(tensor, { name: node.output[0] }));
  }
  return remove.size === 0 ? model : editGraph(model, { remove, initializers });
}

/** Value of a Constant node; undefined for sparse tensors and strings, which stay nodes. */
function constantValue(node: NodeProto): TensorProto | undefined {
  const { TENSOR, FLOAT, FLOATS, INT, INTS } = AttributeProto_AttributeType;
  const [attribute] = node.attribute;
  switch (attribute?.type) {
    case TENSOR:
      return attribute.t;
    case FLOAT:
      return makeTensor("", [], Float32Array.of(attribute.f));
    case FLOATS:
      return makeTensor("", [attribute.floats.length], Float32Array.from(attribute.floats));
    case INT:
      return makeTensor("", [], BigInt64Array.of(attribute.i));
    case INTS:
      return makeTensor("", [attribute.ints.length], BigInt64Array.from(attribute.ints));
    default:
      return undefined;
  }
}

/**
 * Computes every sub-graph that depends on constants only and puts its results in place as
 * initializers. Random operators, those of other operator sets, operators with sub-graphs, strings,
 * sequences and graph outputs stay, and so do operators whose result can't be bounded beforehand.
 *
 * Sizes may be computed themselves (Shape, Concat, Expand), so that a result's own is known only when what it
 * follows from is: as many rounds are run as that takes.
 *
 * Expects {@linkcode foldConstantNodes} to have run.
 *
 * @throws {PlimsollError} kind `model` when results would be beyond {@linkcode ROOM_BYTES}; what `run` throws goes
 * through.
 */
export async function foldConstantSubgraphs(model: Model, run: ConstantRunner): Promise<Model> {
  const constantBytes = model.graph.initializer.reduce((sum, t) => sum + (byteLength(t) ?? 0), 0);
  const room = ROOM_BYTES + ROOM_FACTOR * constantBytes;
  for (let current = model;;) {
    const folded = await foldRound(current, run, room);
    if (folded === current) return current;
    current = folded;
  }
}

/** What all results of a round may take, those between included: so much, … */
export const ROOM_BYTES = 2 ** 27;
/** … and so many times the bytes of the model's constants, which a chain of Cast, Sub and Mul takes each time. */
const ROOM_FACTOR = 16;

/** Computes what can be bounded now; the same model when there is nothing. */
async function foldRound(model: Model, run: ConstantRunner, room: number): Promise<Model> {
  const index = indexGraph(model.graph);
  const { STRING } = TensorProto_DataType;
  const shapes = new Map<string, Shape | undefined>(
    [...index.initializers.values()].filter(({ dataType }) => dataType !== STRING)
      .map((tensor) => [tensor.name, dimensions(tensor)]),
  );
  const folded = new Set<NodeProto>();
  let bytes = 0;
  for (const node of index.nodes) {
    const inputs = [...reads(node)];
    const operator = operatorOf(viewNode(node));
    const computable = inputs.length > 0 && inputs.every((name) => shapes.has(name)) &&
      isOperator(node, node.opType) && !operator?.isRandom && !operator?.makesNoTensors &&
      !(isOperator(node, "Cast") && intAttribute(node, "to", 0) === STRING) &&
      subgraphs(node).length === 0 &&
      !node.output.some((name) => index.outputs.has(name)) &&
      // A quantized weight's DequantizeLinear must stay what it is.
      node.opType !== "DequantizeLinear";
    if (!computable) continue;
    const { shape, elements } = resultSize(node, { index, shapes });
    if (elements === undefined) continue;
    bytes += elements * ELEMENT_BYTES * node.output.length;
    if (!(bytes <= room)) {
      throw new PlimsollError("model", {
        action: `computing constants of the model, ${describeNode(node)} among them`,
        wanted:
          `at most ${room} bytes for all of them, ${ROOM_FACTOR} times its own constants and ${ROOM_BYTES}`,
        found: `${bytes}`,
        remedy: "Export the model with the result in place of what makes it, or without it",
      });
    }
    folded.add(node);
    for (const name of node.output) if (name !== "") shapes.set(name, shape);
  }
  if (folded.size === 0) return model;
  const results = [...folded].flatMap(({ output }) => output).filter((name) =>
    index.consumers.get(name)?.some((reader) => !folded.has(reader))
  );
  if (results.length === 0) return model;
  const node = index.nodes.filter((entry) => folded.has(entry));
  const needed = new Set(node.flatMap((entry) => [...reads(entry)]));
  const subgraph = withFields(model.graph, {
    node,
    input: [],
    output: results.map((name) => create(ValueInfoProtoSchema, { name })),
    initializer: model.graph.initializer.filter(({ name }) => needed.has(name)),
    valueInfo: [],
  });
  const initializers = await run(withFields<Model>(model, { graph: subgraph }));
  return editGraph(model, { remove: folded, initializers });
}
