/**
 * What keeps ONNX Runtime's optimizers from making something else of an emitted model than what it says. Each rule has
 * a file, which says what goes wrong without it.
 *
 * A float layer gets a DequantizeLinear of its own with a step for each channel, at no cost; where it reads none itself,
 * and for other rules, the guard is a Max of one input, which copies. It was the cheapest of what else holds in onnxruntime-web 1.30 and native
 * 1.32 at every level: optimizers remove or look through Identity, Reshape, Expand, Mul by 1 and Cast. A Size that
 * nobody reads holds, too, and costs nothing (56.4 ms instead of 57.1 of EfficientNet-Lite0 with 16 of them, float
 * 54.7), but whoever removes dead nodes removes the guard.
 *
 * @module
 */
import {
  type NodeProto,
  type TensorProto,
  TensorProto_DataType,
} from "../../../onnx/file/onnx_pb.ts";
import { editGraph } from "../../../onnx/graph/edit_graph.ts";
import { type GraphIndex, indexGraph } from "../../../onnx/graph/graph_index.ts";
import { nameMaker } from "../../../onnx/graph/names.ts";
import { intAttribute, makeNode, withAttributes } from "../../../onnx/graph/node.ts";
import { type Model, opsetVersion, withFields } from "../../../onnx/file/model.ts";
import { makePackedTensor } from "../../../onnx/file/packed_tensor.ts";
import { readCodes } from "../../../onnx/quantized/codes.ts";
import { makeTensor, type TensorData, tensorData } from "../../../onnx/file/tensor.ts";
import { int8Bias, type VectorBias } from "./fused_products.ts";
import { inputChannels, isUndone } from "./float_layers.ts";
import { movesInt8 } from "./moved_int8.ts";
import { isMoved } from "./moved_resizes.ts";
import { wideWeights } from "./wide_products.ts";
import { canWrap } from "./wrapping_sums.ts";

/** First opset with `output_dtype`. */
const OPSET_OF_DTYPE = 21;

/** A model that runs as it is written, at every optimization level. Emitted models only; the given one stays as it was. */
export function guardModel(model: Model): Model {
  const index = indexGraph(model.graph);
  const guards = new Guards(model, index);
  const isNew = opsetVersion(model) >= OPSET_OF_DTYPE;
  for (const node of index.nodes) {
    if (canWrap(node, index)) guards.keep(node);
    else if (isUndone(node, index)) guards.separate(node);
    if (isMoved(node, index)) guards.hold(node);
    if (isNew && movesInt8(node, index)) guards.keep(node, "both");
    const bias = isNew ? int8Bias(node, index) : undefined;
    if (bias !== undefined) guards.makeRow(bias);
    const weights = wideWeights(node, index);
    if (weights !== undefined) guards.countFromEnd(weights);
  }
  return guards.apply();
}

/** Collects changes; the model is rebuilt once. */
class Guards {
  readonly #model: Model;
  readonly #index: GraphIndex;
  readonly #fresh: (wish: string) => string;
  readonly #replace = new Map<NodeProto, NodeProto>();
  readonly #added: NodeProto[] = [];
  readonly #initializers: TensorProto[] = [];
  /** The guarded name of a tensor. */
  readonly #kept = new Map<string, string>();
  /** What float layers read in place of a tensor, by it and its channels. */
  readonly #separated = new Map<string, string>();

  constructor(model: Model, index: GraphIndex) {
    this.#model = model;
    this.#index = index;
    this.#fresh = nameMaker(model.graph);
  }

  /** Puts a guard before a node, and between it and the quantizers behind it where both ends are meant. */
  keep(node: NodeProto, ends: "input" | "both" = "input"): void {
    this.#redirect(node, node.input[0]);
    if (ends === "input") return;
    for (const reader of this.#index.consumers.get(node.output[0]) ?? []) {
      if (reader.opType === "QuantizeLinear") this.#redirect(reader, node.output[0]);
    }
  }

  /**
   * Gives a float layer a DequantizeLinear of its own with one step, the same, for each channel. What quantizes forgotten
   * layers wants a single one (`IsScalar` in WeightBiasQuantization, 1.30 and 1.32), and it costs nothing. Where the
   * layer doesn't read a DequantizeLinear itself, a copy does it.
   */
  separate(node: NodeProto): void {
    const dequantizer = this.#index.producers.get(node.input[0]);
    const channels = inputChannels(node, this.#index);
    if (dequantizer?.opType !== "DequantizeLinear" || channels === undefined) {
      return this.keep(node);
    }
    const { axis, size } = channels;
    const key = `${node.input[0]} ${axis} ${size}`;
    let separate = this.#separated.get(key);
    if (separate === undefined) {
      separate = this.#fresh(`${node.input[0]}/float`);
      this.#separated.set(key, separate);
      const [codes, ...grid] = dequantizer.input;
      const input = [codes, ...grid.map((name) => this.#perColumn(name, size))];
      const name = this.#fresh(`${separate}/DequantizeLinear`);
      const made = withFields(dequantizer, { name, input, output: [separate] });
      this.#added.push(withAttributes(made, { axis }));
    }
    const current = this.#current(node);
    this.#replace.set(node, withFields(current, { input: current.input.with(0, separate) }));
  }

  /** Puts what no Transpose is moved through before a node of four axes: DepthToSpace of blocks of 1, which copies. */
  hold(node: NodeProto): void {
    const held = this.#fresh(`${node.input[0]}/held`);
    const attributes = { blocksize: 1 };
    const name = this.#fresh(`${held}/DepthToSpace`);
    this.#added.push(makeNode("DepthToSpace", name, [node.input[0]], [held], attributes));
    const current = this.#current(node);
    this.#replace.set(node, withFields(current, { input: current.input.with(0, held) }));
  }

  /** Counts the axis of a matrix of weights from its end; one step for all of it becomes one a column. */
  countFromEnd(dequantizer: NodeProto): void {
    const [codes, ...grid] = dequantizer.input;
    const [rows, columns] = this.#index.initializers.get(codes)!.dims.map(Number);
    const input = [codes, ...grid.map((name) => this.#perColumn(name, columns))];
    const axis = intAttribute(dequantizer, "axis", 1) - [rows, columns].length;
    const changed = withFields(this.#current(dequantizer), { input });
    this.#replace.set(dequantizer, withAttributes(changed, { axis }));
  }

  /** Makes a matrix of one row of a vector. */
  makeRow({ node, input }: VectorBias): void {
    const tensor = this.#index.initializers.get(node.input[input])!;
    const name = this.#fresh(`${tensor.name}/row`);
    const dims = [1n, ...tensor.dims];
    this.#initializers.push(withFields(tensor, { name, dims }));
    const current = this.#current(node);
    const changed = withFields(current, { input: current.input.with(input, name) });
    const hasAxis = node.attribute.some((attribute) => attribute.name === "axis");
    this.#replace.set(node, hasAxis ? withAttributes(changed, { axis: 1 }) : changed);
  }

  apply(): Model {
    if (this.#replace.size === 0) return this.#model;
    return editGraph(this.#model, {
      replace: this.#replace,
      add: this.#added,
      initializers: this.#initializers,
    });
  }

  #redirect(reader: NodeProto, tensor: string): void {
    let kept = this.#kept.get(tensor);
    if (kept === undefined) {
      kept = this.#fresh(`${tensor}/kept`);
      this.#kept.set(tensor, kept);
      this.#added.push(makeNode("Max", this.#fresh(`${kept}/Max`), [tensor], [kept]));
    }
    const current = this.#current(reader);
    // The first input only: a tensor that is multiplied with itself is no layer.
    const input = current.input.map((name, i) => i === 0 && name === tensor ? kept : name);
    this.#replace.set(reader, withFields(current, { input }));
  }

  #current(node: NodeProto): NodeProto {
    return this.#replace.get(node) ?? node;
  }

  /** A scale or zero point of the whole matrix, once for each column. */
  #perColumn(name: string, columns: number): string {
    const tensor = this.#index.initializers.get(name)!;
    if (tensor.dims.length > 0) return name;
    const fresh = this.#fresh(`${name}/columns`);
    const type = PACKED[tensor.dataType];
    const codes = readCodes(tensor);
    const filled = type !== undefined
      ? makePackedTensor(fresh, [columns], Array(columns).fill(codes![0]), type)
      : makeTensor(fresh, [columns], repeated(tensorData(tensor), columns), tensor.dataType);
    this.#initializers.push(filled);
    return fresh;
  }
}

/** Types of which two elements fill a byte. */
const PACKED: Readonly<Record<number, "int4" | "uint4" | undefined>> = {
  [TensorProto_DataType.INT4]: "int4",
  [TensorProto_DataType.UINT4]: "uint4",
};

function repeated(data: TensorData, count: number): TensorData {
  const ArrayOf = data.constructor as Float32ArrayConstructor;
  return new ArrayOf(count).fill(data[0] as number);
}
