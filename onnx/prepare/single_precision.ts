/**
 * Models of float16 and float64 as float32: integer kernels, statistics and most operators of a CPU know that alone.
 *
 * @module
 */
import {
  type AttributeProto,
  type GraphProto,
  type NodeProto,
  type TensorProto,
  TensorProto_DataType,
  type ValueInfoProto,
} from "../file/onnx_pb.ts";
import { type Model, withFields } from "../file/model.ts";
import { fromHalf } from "../file/half.ts";
import { dimensions, elementCount, makeTensor, tensorData } from "../file/tensor.ts";
import { editGraph } from "../graph/edit_graph.ts";
import { nameMaker } from "../graph/names.ts";
import { isOperator, makeNode } from "../graph/node.ts";

const { FLOAT, FLOAT16, DOUBLE } = TensorProto_DataType;

/** How messages call the types that are converted. */
const NAMES: Readonly<Record<number, string>> = { [FLOAT16]: "float16", [DOUBLE]: "float64" };

/** Types that inputs and outputs had before, by name. */
export type Interface = ReadonlyMap<string, number>;

/** A model in float32. */
export interface SinglePrecision {
  readonly model: Model;
  /** Empty where they were float32 already. */
  readonly interface: Interface;
  /** What was converted, a sentence; undefined when nothing was. */
  readonly note?: string;
}

/**
 * Converts a model whose weights are mostly float16 or float64, or whose inputs or outputs are: weights are rounded to
 * the nearest float32, and infinite beyond it; float16 loses nothing. A float32 model that computes something in float64
 * inside stays as it is. Inputs and outputs become float32 as well; see {@linkcode restoreInterface}.
 */
export function toSinglePrecision(model: Model): SinglePrecision {
  const { graph } = model;
  const types = new Map(
    [...graph.input, ...graph.output].flatMap((info) => {
      const type = typeOf(info);
      return isConverted(type) ? [[info.name, type] as const] : [];
    }),
  );
  const sizes = new Map<number, number>();
  for (const tensor of tensorsOf(graph)) {
    const size = elementCount(dimensions(tensor));
    sizes.set(tensor.dataType, (sizes.get(tensor.dataType) ?? 0) + size);
  }
  const other = (sizes.get(FLOAT16) ?? 0) + (sizes.get(DOUBLE) ?? 0);
  if (types.size === 0 && other <= (sizes.get(FLOAT) ?? 0)) return { model, interface: types };
  const found = [FLOAT16, DOUBLE].filter((type) =>
    sizes.has(type) || [...types.values()].includes(type)
  );
  return {
    model: withFields<Model>(model, { graph: convertGraph(graph) }),
    interface: types,
    note: `${found.map((type) => NAMES[type]).join(" and ")} converted to float32 inside; ` +
      "inputs and outputs keep their types",
  };
}

/** A model with the inputs and outputs that another had before it was converted: a Cast at each. */
export function restoreInterface(model: Model, types: Interface): Model {
  if (types.size === 0) return model;
  const { graph } = model;
  const fresh = nameMaker(graph);
  const names = new Map([...types.keys()].map((name) => [name, fresh(`${name}/float32`)]));
  const rename = (list: readonly string[]) => list.map((name) => names.get(name) ?? name);
  const inputs = new Set(graph.input.map(({ name }) => name));
  const cast = (from: string, to: string, type: number) =>
    makeNode("Cast", fresh(`${to}/Cast`), [from], [to], { to: type });
  const add = [...types].map(([name, type]) =>
    inputs.has(name) ? cast(name, names.get(name)!, FLOAT) : cast(names.get(name)!, name, type)
  );
  const restore = (info: ValueInfoProto) =>
    types.has(info.name) ? withType(info, types.get(info.name)!) : info;
  const typed = withFields<Model>(model, {
    graph: withFields(graph, {
      input: graph.input.map(restore),
      output: graph.output.map(restore),
    }),
  });
  const replace = new Map(
    graph.node.map((node) =>
      [node, withFields(node, { input: rename(node.input), output: rename(node.output) })] as const
    ),
  );
  return editGraph(typed, { replace, add });
}

function isConverted(type: number | undefined): type is TensorProto_DataType {
  return type === FLOAT16 || type === DOUBLE;
}

function typeOf({ type }: ValueInfoProto): number | undefined {
  return type?.value.case === "tensorType" ? type.value.value.elemType : undefined;
}

function withType(info: ValueInfoProto, elemType: number): ValueInfoProto {
  const { type } = info;
  if (type?.value.case !== "tensorType") return info;
  const value = withFields(type.value.value, { elemType });
  return withFields(info, { type: withFields(type, { value: { case: "tensorType", value } }) });
}

/** Constants of a graph, of its nodes and of their sub-graphs. */
function tensorsOf(graph: GraphProto): TensorProto[] {
  const attributes = graph.node.flatMap(({ attribute }) => attribute);
  return [
    ...graph.initializer,
    ...attributes.flatMap(({ t, tensors }) => t === undefined ? tensors : [t, ...tensors]),
    ...attributes.flatMap(({ g, graphs }) => g === undefined ? graphs : [g, ...graphs])
      .flatMap(tensorsOf),
  ];
}

function convertGraph(graph: GraphProto): GraphProto {
  const convert = (info: ValueInfoProto) =>
    isConverted(typeOf(info)) ? withType(info, FLOAT) : info;
  return withFields(graph, {
    node: graph.node.map(convertNode),
    initializer: graph.initializer.map(convertTensor),
    input: graph.input.map(convert),
    output: graph.output.map(convert),
    valueInfo: graph.valueInfo.map(convert),
  });
}

function convertNode(node: NodeProto): NodeProto {
  const attribute = node.attribute.map((entry): AttributeProto => {
    const { name, i, t, tensors, g, graphs } = entry;
    // Cast has `to`, random numbers and their like `dtype`.
    const isType = name === "dtype" || name === "to" && isOperator(node, "Cast");
    if (isType && isConverted(Number(i))) return withFields(entry, { i: BigInt(FLOAT) });
    return withFields(entry, {
      ...(t === undefined ? {} : { t: convertTensor(t) }),
      ...(g === undefined ? {} : { g: convertGraph(g) }),
      tensors: tensors.map(convertTensor),
      graphs: graphs.map(convertGraph),
    });
  });
  return withFields(node, { attribute });
}

function convertTensor(tensor: TensorProto): TensorProto {
  const { name, dataType } = tensor;
  if (dataType === DOUBLE) {
    return makeTensor(
      name,
      dimensions(tensor),
      Float32Array.from(tensorData(tensor) as Float64Array),
    );
  }
  return dataType === FLOAT16
    ? makeTensor(name, dimensions(tensor), Float32Array.from(halves(tensor), fromHalf))
    : tensor;
}

/** Bits of a float16 tensor: raw, or one in each int32 (onnx.proto). */
function halves({ rawData, int32Data }: TensorProto): ArrayLike<number> {
  if (rawData.length === 0) return int32Data;
  const view = new DataView(rawData.buffer, rawData.byteOffset, rawData.byteLength);
  return Uint16Array.from(
    { length: rawData.length / 2 },
    (_, i) => view.getUint16(2 * i, true),
  );
}
