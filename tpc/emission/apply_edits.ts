/**
 * Edits → quantized model.
 *
 * What is emitted follows from what ONNX Runtime fuses into integer kernels (measured, see
 * ARCHITECTURE.md): uint8 activations, int8 weights, int32 biases, a Q on every edge, and a Clip
 * narrower than the grid on the codes, not on the floats.
 *
 * @module
 */
import { create } from "@bufbuild/protobuf";
import {
  type NodeProto,
  OperatorSetIdProtoSchema,
  type TensorProto,
  TensorProto_DataType,
} from "../../onnx/file/onnx_pb.ts";
import { PlimsollError } from "../../core/errors.ts";
import { option } from "../../core/option_words.ts";
import { roundHalfEven } from "../../core/grid.ts";
import type { Edit } from "./insert_qdq.ts";
import { editGraph } from "../../onnx/graph/edit_graph.ts";
import { type Model, opsetVersion, withFields } from "../../onnx/file/model.ts";
import { makeNode, nodeName } from "../../onnx/graph/node.ts";
import { quantizeRows } from "../../onnx/quantized/quantize_rows.ts";
import { quantizeWeights } from "../../onnx/quantized/quantize_weights.ts";
import { makePackedTensor } from "../../onnx/file/packed_tensor.ts";
import { dimensions, floatData, makeTensor, type TensorData } from "../../onnx/file/tensor.ts";
import type { ActivationStorage, WeightStorage } from "../../core/types.ts";

/** First opset with per-axis DequantizeLinear. */
const MIN_OPSET = 13;
const INT32_MAX = 2 ** 31 - 1;

/**
 * Finds out before any work whether a model can be emitted.
 *
 * @throws {PlimsollError} kind `model` when its opset is too old.
 */
export function checkOpset(model: Model): void {
  const opset = opsetVersion(model);
  if (opset < MIN_OPSET) {
    throw new PlimsollError("model", {
      action: "emitting the quantized model",
      wanted: `a model of opset ${MIN_OPSET} or newer, which has per-channel DequantizeLinear`,
      found: `opset ${opset}`,
      remedy: "Convert it with onnx.version_converter or export it again",
    });
  }
}

/**
 * Applies edits to the prepared float model, which stays as it was. Inputs and outputs keep names,
 * types and shapes, and the tensor that was called T is afterwards the dequantized T.
 *
 * @throws {PlimsollError} kind `model` when the opset is too old or the edits name what isn't there.
 */
export function applyEdits(model: Model, edits: readonly Edit[]): Model {
  checkOpset(model);
  const emitter = new Emitter(model);
  for (const edit of edits) {
    switch (edit.kind) {
      case "absorb":
        emitter.absorb(edit.node);
        break;
      case "activation":
        emitter.quantizeActivation(edit);
        break;
      case "weight":
        emitter.quantizeWeight(edit);
        break;
      case "bias":
        emitter.quantizeBias(edit);
        break;
      case "table":
        emitter.quantizeTable(edit.node);
        break;
      default:
        edit satisfies never;
    }
  }
  return emitter.finish();
}

/** Codes of a constant with what turns them back into real numbers. */
interface QuantizedConstant {
  readonly name: string;
  readonly dims: readonly number[];
  readonly codes: ArrayLike<number>;
  readonly storage: ActivationStorage | WeightStorage | "int32";
  readonly scales: Float32Array;
  /** Axis of the scales; absent: one scale in all, written as a scalar. */
  readonly axis?: number;
  /** Weights along the axis that share a scale. */
  readonly blockSize?: number;
  /** As many as scales. */
  readonly zeroPoints?: readonly number[];
}

/** Names of the initializers of a table. */
interface Table {
  readonly codes: string;
  readonly steps: string;
}

/** Arrays of the types that fill whole bytes. */
const ARRAYS = {
  uint8: Uint8Array,
  int8: Int8Array,
  uint16: Uint16Array,
  int16: Int16Array,
  int32: Int32Array,
} as const;

/** Types that QuantizeLinear and DequantizeLinear have had from the first; others came with opset 21. */
const BYTE_TYPES: readonly string[] = ["uint8", "int8", "int32"];
const OPSET_OF_OTHERS = 21;
/** ONNX Runtime has the same operators for them under older opsets. */
const CONTRIB_DOMAIN = "com.microsoft";

/** Collects the changes of all edits; the model is rebuilt once, in {@linkcode Emitter.finish}. */
class Emitter {
  readonly #model: Model;
  /** Nodes by the name that outlines give them. */
  readonly #nodes: ReadonlyMap<string, NodeProto>;
  readonly #weights: ReadonlyMap<string, TensorProto>;
  readonly #graphInputs: ReadonlySet<string>;
  readonly #inputs = new Map<NodeProto, string[]>();
  readonly #outputs = new Map<NodeProto, string[]>();
  readonly #producer = new Map<string, NodeProto>();
  readonly #removed = new Set<NodeProto>();
  readonly #added: NodeProto[] = [];
  readonly #initializers = new Map<string, TensorProto>();
  /** Initializers of quantized constants by the name of the float one: nodes that share it share them. */
  readonly #stored = new Map<
    string,
    { constant: QuantizedConstant; inputs: readonly string[] }[]
  >();
  /** Tables by the name of the float one. */
  readonly #tables = new Map<string, Table>();
  readonly #taken: Set<string>;
  #usesContrib = false;

  constructor(model: Model) {
    const { graph } = model;
    this.#model = model;
    this.#nodes = new Map(graph.node.map((node) => [nodeName(node), node]));
    this.#weights = new Map(graph.initializer.map((tensor) => [tensor.name, tensor]));
    this.#graphInputs = new Set(graph.input.map(({ name }) => name));
    for (const node of graph.node) {
      this.#inputs.set(node, [...node.input]);
      this.#outputs.set(node, [...node.output]);
      for (const name of node.output) this.#producer.set(name, node);
    }
    this.#taken = new Set([
      ...this.#weights.keys(),
      ...this.#graphInputs,
      ...this.#producer.keys(),
      ...this.#nodes.keys(),
    ]);
  }

  /** The producer of an activation function's input makes its output directly. */
  absorb(name: string): void {
    const node = this.#node(name);
    const [input] = this.#inputs.get(node)!;
    const [output] = this.#outputs.get(node)!;
    const producer = this.#producer.get(input);
    if (producer === undefined) throw this.#missing(`a producer of ${JSON.stringify(input)}`);
    this.#rename(producer, input, output);
    this.#removed.add(node);
  }

  /** T → Q → (Clip) → DQ → T: the float tensor takes another name, so that every reader gets the dequantized one. */
  quantizeActivation({ tensor, grid, storage, isClipped }: Edit & { kind: "activation" }): void {
    const producer = this.#producer.get(tensor);
    const isInput = this.#graphInputs.has(tensor);
    if (producer === undefined && !isInput) throw this.#missing(`tensor ${JSON.stringify(tensor)}`);
    const floatName = isInput ? tensor : this.#fresh(`${tensor}/float`);
    const dequantized = isInput ? this.#fresh(`${tensor}/dequantized`) : tensor;
    if (producer !== undefined) this.#rename(producer, tensor, floatName);
    else this.#redirect(tensor, dequantized);
    const scale = this.#tensor(`${tensor}/scale`, [], Float32Array.of(grid.scale));
    const zero = this.#codes(`${tensor}/zero_point`, [], [grid.zeroPoint], storage);
    const is16Bit = storage.endsWith("16");
    const { quantizedMin, quantizedMax, zeroPoint } = grid;
    const clip = (input: string, low: string, high: string) => {
      const clipped = this.#fresh(`${tensor}/clipped`);
      this.#add("Clip", [input, low, high], clipped);
      return clipped;
    };
    // Clip on codes keeps the integer kernels; Clip has none for 16 bits, and rounding is monotone.
    const ends = [quantizedMin, quantizedMax].map((code, i) => {
      if (!isClipped) return "";
      const name = `${tensor}/${i === 0 ? "min" : "max"}`;
      return is16Bit
        ? this.#tensor(name, [], Float32Array.of((code - zeroPoint) * grid.scale))
        : this.#codes(name, [], [code], storage);
    });
    const input = isClipped && is16Bit ? clip(floatName, ends[0], ends[1]) : floatName;
    const codes = this.#fresh(`${tensor}/quantized`);
    this.#addLinear("QuantizeLinear", [input, scale, zero], codes, storage);
    const inRange = isClipped && !is16Bit ? clip(codes, ends[0], ends[1]) : codes;
    this.#addLinear("DequantizeLinear", [inRange, scale, zero], dequantized, storage);
  }

  quantizeWeight(
    { node, input, axis, blockSize, scales, zeroPoints, codes, rounded, storage }: Edit & {
      kind: "weight";
    },
  ): void {
    const { name, dims, data } = this.#constant(node, input);
    if (blockSize !== undefined) this.#checkBlocks();
    if (axis !== undefined && blockSize === undefined && dims[axis] !== scales.length) {
      throw this.#missing(
        `${scales.length} channels along axis ${axis} of ${JSON.stringify(name)}`,
      );
    }
    const quantized = rounded ??
      quantizeWeights(data, dims, { axis, blockSize, scales, zeroPoints, codes });
    // Zero points are there even when all are zero: QGemm is only taken then (measured, 1.30).
    this.#dequantizeConstant(node, input, {
      name,
      dims,
      scales,
      axis,
      blockSize,
      zeroPoints,
      storage,
      codes: quantized,
    });
  }

  quantizeBias({ node, input, axis, scales, shift }: Edit & { kind: "bias" }): void {
    const { name, dims: shape, data } = this.#bias(node, input, shift);
    // A row of an Add is a vector: ONNX Runtime takes no other bias into a Gemm.
    const dims = scales === undefined ? shape : [data.length];
    const shifted = shift === undefined ? data : Float64Array.from(data, (b, c) => b - shift[c]);
    if (scales === undefined) {
      this.#inputs.get(this.#node(node))![input] = this.#tensor(
        `${name}/corrected`,
        dims,
        Float32Array.from(shifted),
      );
      return;
    }
    const codes = Int32Array.from(shifted, (b, c) => {
      const code = roundHalfEven(b / scales[c % scales.length]);
      return Math.min(Math.max(code, -INT32_MAX), INT32_MAX);
    });
    // No zero point here: with one, the WebGPU provider refuses int32.
    this.#dequantizeConstant(node, input, { name, dims, codes, scales, axis, storage: "int32" });
  }

  /**
   * Rows of a table to int8, one step a row: Gather picks codes and steps, Cast and Mul make numbers of them. These are
   * operators of every opset and runtime; GatherBlockQuantized is ONNX Runtime's own, and a DequantizeLinear behind
   * Gather has one step for the whole table.
   */
  quantizeTable(node: string): void {
    const gather = this.#node(node);
    const { name, dims, data } = this.#constant(node, 0);
    const inputs = this.#tables.get(name) ?? this.#storeTable(name, dims, data);
    this.#tables.set(name, inputs);
    const [, indices] = this.#inputs.get(gather)!;
    const [output] = this.#outputs.get(gather)!;
    const [codes, steps, numbers] = ["codes", "steps", "numbers"].map((what) =>
      this.#fresh(`${output}/${what}`)
    );
    this.#rename(gather, output, codes);
    this.#inputs.set(gather, [inputs.codes, indices]);
    this.#add("Gather", [inputs.steps, indices], steps);
    this.#add("Cast", [codes], numbers, { to: TensorProto_DataType.FLOAT });
    this.#add("Mul", [numbers, steps], output);
  }

  #storeTable(name: string, dims: readonly number[], data: Float32Array): Table {
    const { codes, scales } = quantizeRows(data, dims);
    return {
      codes: this.#codes(`${name}/quantized`, dims, codes, "int8"),
      steps: this.#tensor(`${name}/scale`, dims.map((size, axis) => axis === 0 ? size : 1), scales),
    };
  }

  /** The bias of a layer; zeros, which are added, where it has none and is to be shifted. */
  #bias(node: string, input: number, shift: readonly number[] | undefined) {
    if (shift === undefined || (this.#node(node).input[input] ?? "") !== "") {
      return this.#constant(node, input);
    }
    const inputs = this.#inputs.get(this.#node(node))!;
    while (inputs.length <= input) inputs.push("");
    return { name: `${node}/bias`, dims: [shift.length], data: new Float32Array(shift.length) };
  }

  /** Blocks came with opset 21, and ONNX Runtime's own operators have none. */
  #checkBlocks(): void {
    const opset = opsetVersion(this.#model);
    if (opset >= OPSET_OF_OTHERS) return;
    throw new PlimsollError("model", {
      action: "emitting the quantized model",
      wanted: `a model of opset ${OPSET_OF_OTHERS} or newer, which has steps for blocks of weights`,
      found: `opset ${opset}`,
      remedy: `Convert it with onnx.version_converter, or use ${
        option("weightGranularity", "channel")
      }`,
    });
  }

  finish(): Model {
    const replace = new Map<NodeProto, NodeProto>();
    for (const node of this.#model.graph.node) {
      if (this.#removed.has(node)) continue;
      replace.set(
        node,
        withFields(node, { input: this.#inputs.get(node)!, output: this.#outputs.get(node)! }),
      );
    }
    return editGraph(this.#withDomain(), {
      remove: this.#removed,
      replace,
      add: this.#added,
      initializers: [...this.#initializers.values()],
    });
  }

  #dequantizeConstant(node: string, input: number, constant: QuantizedConstant): void {
    const { name, dims, codes, scales, axis, blockSize, zeroPoints, storage } = constant;
    const shape = axis === undefined
      ? []
      : blockSize === undefined
      ? [scales.length]
      : dims.map((size, i) => i === axis ? size / blockSize : size);
    const stored = this.#stored.get(name)?.find((other) =>
      isSameConstant(other.constant, constant)
    );
    const inputs = stored?.inputs ?? [
      this.#codes(`${name}/quantized`, dims, codes, storage),
      this.#tensor(`${name}/scale`, shape, scales),
      ...(zeroPoints ? [this.#codes(`${name}/zero_point`, shape, zeroPoints, storage)] : []),
    ];
    if (stored === undefined) {
      this.#stored.set(name, [...this.#stored.get(name) ?? [], { constant, inputs }]);
    }
    const output = this.#fresh(`${name}/dequantized`);
    this.#addLinear("DequantizeLinear", [...inputs], output, storage, {
      ...(axis === undefined ? {} : { axis }),
      ...(blockSize === undefined ? {} : { block_size: blockSize }),
    });
    this.#inputs.get(this.#node(node))![input] = output;
  }

  #constant(node: string, input: number): { name: string; dims: number[]; data: Float32Array } {
    const name = this.#node(node).input[input];
    const tensor = this.#weights.get(name);
    const data = tensor && floatData(tensor);
    if (data === undefined) throw this.#missing(`float32 constant ${JSON.stringify(name)}`);
    return { name, dims: dimensions(tensor!), data };
  }

  #node(name: string): NodeProto {
    const node = this.#nodes.get(name);
    if (node === undefined) throw this.#missing(`node ${JSON.stringify(name)}`);
    return node;
  }

  #rename(producer: NodeProto, from: string, to: string): void {
    const outputs = this.#outputs.get(producer)!;
    outputs[outputs.indexOf(from)] = to;
    this.#producer.delete(from);
    this.#producer.set(to, producer);
  }

  #redirect(from: string, to: string): void {
    for (const inputs of this.#inputs.values()) {
      for (let i = 0; i < inputs.length; i++) if (inputs[i] === from) inputs[i] = to;
    }
  }

  /** Adds an initializer and returns its name; `dims` empty for a scalar. */
  #tensor(name: string, dims: readonly number[], data: TensorData): string {
    const fresh = this.#fresh(name);
    this.#initializers.set(fresh, makeTensor(fresh, dims, data));
    return fresh;
  }

  /** Adds an initializer of codes and returns its name. */
  #codes(
    name: string,
    dims: readonly number[],
    codes: ArrayLike<number>,
    storage: QuantizedConstant["storage"],
  ): string {
    if (storage !== "int4" && storage !== "uint4") {
      return this.#tensor(name, dims, ARRAYS[storage].from(codes));
    }
    const fresh = this.#fresh(name);
    this.#initializers.set(fresh, makePackedTensor(fresh, dims, codes, storage));
    return fresh;
  }

  /** Adds QuantizeLinear or DequantizeLinear, from the domain that has it for this type. */
  #addLinear(
    op: "QuantizeLinear" | "DequantizeLinear",
    inputs: string[],
    output: string,
    storage: QuantizedConstant["storage"],
    attributes: Record<string, number> = {},
  ): void {
    const isContrib = !BYTE_TYPES.includes(storage) && opsetVersion(this.#model) < OPSET_OF_OTHERS;
    if (isContrib) this.#usesContrib = true;
    this.#add(op, inputs, output, attributes, isContrib ? CONTRIB_DOMAIN : "");
  }

  /** The model, with the domain of ONNX Runtime's operators imported where they are used. */
  #withDomain(): Model {
    const { opsetImport } = this.#model;
    const isThere = opsetImport.some(({ domain }) => domain === CONTRIB_DOMAIN);
    if (!this.#usesContrib || isThere) return this.#model;
    const added = create(OperatorSetIdProtoSchema, { domain: CONTRIB_DOMAIN, version: 1n });
    return withFields<Model>(this.#model, { opsetImport: [...opsetImport, added] });
  }

  #add(
    op: string,
    inputs: string[],
    output: string,
    attributes: Record<string, number> = {},
    domain = "",
  ): void {
    const node = makeNode(op, this.#fresh(`${output}/${op}`), inputs, [output], attributes);
    this.#added.push(domain === "" ? node : withFields(node, { domain }));
  }

  /** A name that the model doesn't use. */
  #fresh(name: string): string {
    let fresh = name;
    for (let i = 2; this.#taken.has(fresh); i++) fresh = `${name}_${i}`;
    this.#taken.add(fresh);
    return fresh;
  }

  #missing(what: string): PlimsollError {
    return new PlimsollError("model", {
      action: "emitting the quantized model",
      wanted: `${what}, which the manifest names`,
      found: "a model without it",
      remedy: "Emit from the model that the manifest was made for",
    });
  }
}

/** Whether two constants of one name are the same codes on the same grid. */
function isSameConstant(a: QuantizedConstant, b: QuantizedConstant): boolean {
  return a.storage === b.storage && a.axis === b.axis && a.blockSize === b.blockSize &&
    isSameList(a.dims, b.dims) && isSameList(a.scales, b.scales) &&
    isSameList(a.zeroPoints ?? [], b.zeroPoints ?? []) && isSameList(a.codes, b.codes);
}

function isSameList(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
