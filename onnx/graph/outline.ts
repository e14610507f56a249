/**
 * The outline of a graph: everything that decides where quantizers go, without the weights. It is a
 * plain value, small enough to travel inside a statistics file, so that another target or another
 * placement can be tried later without the model.
 *
 * @module
 */
import {
  type GraphProto,
  type NodeProto,
  TensorProto_DataType,
  type ValueInfoProto,
} from "../file/onnx_pb.ts";
import { type GraphIndex, indexGraph } from "./graph_index.ts";
import { type AttributeValue, isOperator, nodeName, subgraphs } from "./node.ts";
import { viewNode } from "./node_view.ts";
import { dimensions, elementCount, floatData } from "../file/tensor.ts";

/** Element type of a tensor as far as placement cares. */
export type ElementType = "float" | "other";

/** One operator of the graph. */
export interface OutlineNode {
  /** Its name, or that of its first output when it has none. */
  readonly name: string;
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
  /** Tensors that sub-graphs (If, Loop) read from this graph. */
  readonly captures: readonly string[];
  /** Constants of this graph that its sub-graphs read, where there are any. */
  readonly capturedConstants?: readonly string[];
  /** Numbers in constants of its sub-graphs (If, Loop, Scan), where there are any. */
  readonly innerWeights?: number;
  /** Element types of its outputs, where its inputs don't tell them: of If, Loop, Scan and ConstantOfShape. */
  readonly types?: readonly ElementType[];
}

/** An input or output of the model. */
export interface OutlineValue {
  /** Its name. */
  readonly name: string;
  /** Its element type. */
  readonly type: ElementType;
  /** Dimensions; null where dynamic. Undefined when the model doesn't say. */
  readonly shape?: readonly (number | null)[];
}

/** A constant tensor. */
export interface OutlineConstant {
  /** Its element type. */
  readonly type: ElementType;
  /** Its dimensions. */
  readonly shape: readonly number[];
  /** Its elements when there are at most {@linkcode MAX_VALUES}, as the bounds of Clip are. */
  readonly values?: readonly number[];
  /** Whether some elements are {@linkcode MASK} or less, as those of attention masks; never false. */
  readonly masks?: true;
}

/** A graph without its weights. */
export interface GraphOutline {
  /** Inputs of the model, without constants. */
  readonly inputs: readonly OutlineValue[];
  /** Outputs of the model. */
  readonly outputs: readonly OutlineValue[];
  /** In topological order. */
  readonly nodes: readonly OutlineNode[];
  /** Constant tensors by name. */
  readonly constants: Readonly<Record<string, OutlineConstant>>;
}

/** Constants of up to this many elements keep their values in the outline. */
export const MAX_VALUES = 8;

/** The mildest of the numbers that exporters mask with: −10⁴, −10⁹, the least float32, −∞. */
export const MASK = -1e4;

/** Outlines a graph. Nodes without a name are called after their first output. */
export function outlineGraph(graph: GraphProto): GraphOutline {
  const index = indexGraph(graph);
  const isConstant = (name: string) => index.initializers.has(name);
  return {
    inputs: outlineInputs(graph),
    outputs: graph.output.map(outlineValue),
    nodes: index.nodes.map((node) => ({
      name: nodeName(node),
      ...viewNode(node),
      captures: subgraphs(node).length === 0
        ? []
        : [...index.consumers].filter(([name, readers]) =>
          readers.includes(node) && !node.input.includes(name) && !isConstant(name)
        ).map(([name]) => name),
      ...capturedConstants(node, index),
      ...writtenTypes(node),
      ...innerWeights(node),
    })),
    constants: outlineConstants(index),
  };
}

/** Inputs of a model, without a look at its weights. */
export function outlineInputs(graph: GraphProto): OutlineValue[] {
  return graph.input.map(outlineValue);
}

function writtenTypes(node: NodeProto): { types: ElementType[] } | undefined {
  const [body] = subgraphs(node);
  if (body !== undefined) {
    // The first output of a Loop's body says whether to go on.
    const outputs = node.opType === "Loop" ? body.output.slice(1) : body.output;
    return { types: outputs.map((output) => outlineValue(output).type) };
  }
  if (!isOperator(node, "ConstantOfShape")) return undefined;
  const element = node.attribute.find(({ name }) => name === "value")?.t;
  return { types: [element === undefined ? "float" : typeOf(element.dataType)] };
}

/** Constants of the graph that a node's sub-graphs read. */
function capturedConstants(
  node: NodeProto,
  { consumers, initializers }: GraphIndex,
): { capturedConstants: string[] } | undefined {
  if (subgraphs(node).length === 0) return undefined;
  const captured = [...consumers].filter(([name, readers]) =>
    initializers.has(name) && readers.includes(node) && !node.input.includes(name)
  ).map(([name]) => name);
  return captured.length === 0 ? undefined : { capturedConstants: captured };
}

/** Float numbers in the constants of a node's sub-graphs, and of theirs. */
function innerWeights(node: NodeProto): { innerWeights: number } | undefined {
  const count = (graph: GraphProto): number => {
    const constants = [
      ...graph.initializer,
      ...graph.node.flatMap(({ attribute }) => attribute.flatMap(({ t }) => t ?? [])),
    ];
    const own = constants.filter(({ dataType }) => typeOf(dataType) === "float")
      .reduce((sum, tensor) => sum + elementCount(dimensions(tensor)), 0);
    return own + graph.node.flatMap(subgraphs).reduce((sum, inner) => sum + count(inner), 0);
  };
  const numbers = subgraphs(node).reduce((sum, graph) => sum + count(graph), 0);
  return numbers === 0 ? undefined : { innerWeights: numbers };
}

function typeOf(type: TensorProto_DataType): ElementType {
  return type === TensorProto_DataType.FLOAT ? "float" : "other";
}

function outlineConstants(index: GraphIndex): Record<string, OutlineConstant> {
  const constants: Record<string, OutlineConstant> = {};
  for (const [name, tensor] of index.initializers) {
    const shape = dimensions(tensor);
    const data = floatData(tensor);
    const values = data !== undefined && data.length <= MAX_VALUES ? [...data] : undefined;
    // JSON has no infinity, and an unbounded Clip is written with one now and then.
    const isPlain = values?.every(Number.isFinite);
    const masks = data !== undefined && holdsMask(data);
    constants[name] = {
      type: typeOf(tensor.dataType),
      shape,
      ...(isPlain ? { values } : {}),
      ...(masks ? { masks } : {}),
    };
  }
  return constants;
}

/** A loop and no callback: models are outlined several times, with all their weights. */
function holdsMask(data: Float32Array): boolean {
  for (let i = 0; i < data.length; i++) if (data[i] <= MASK) return true;
  return false;
}

function outlineValue(info: ValueInfoProto): OutlineValue {
  const type = info.type?.value;
  if (type?.case !== "tensorType") return { name: info.name, type: "other" };
  // Paddle writes −1 for a dynamic dimension.
  const shape = type.value.shape?.dim.map(({ value }) =>
    value.case === "dimValue" && value.value >= 0n ? Number(value.value) : null
  );
  return {
    name: info.name,
    type: typeOf(type.value.elemType),
    ...(shape === undefined ? {} : { shape }),
  };
}
