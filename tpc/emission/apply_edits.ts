/**
 * Edits → quantized model.
 *
 * What is emitted follows from what ONNX Runtime fuses into integer kernels (measured, see
 * ARCHITECTURE.md): uint8 activations, int8 weights, int32 biases, a Q on every edge, and a Clip
 * narrower than the grid on the codes, not on the floats.
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";
import { option } from "../../core/option_words.ts";
import { roundHalfEven } from "../../core/grid.ts";
import { type Model, opsetVersion } from "../../onnx/file/model.ts";
import { TensorProto_DataType } from "../../onnx/file/onnx_pb.ts";
import { quantizeRows } from "../../onnx/quantized/quantize_rows.ts";
import { quantizeWeights } from "../../onnx/quantized/quantize_weights.ts";
import { type CodeStorage, CONTRIB_DOMAIN, GraphEditor } from "./editor/graph_editor.ts";
import type { Edit } from "./insert_qdq.ts";
import { BlockTables } from "./layers/block_table.ts";
import { BlockLayers } from "./layers/block_layer.ts";
import { DynamicLayers } from "./layers/dynamic_layers.ts";
import { checkGrid } from "./layers/check_grid.ts";
import { makeRecurrentLayer } from "./layers/recurrent_layer.ts";
import { StoredWeights } from "./layers/stored_weights.ts";

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
    if ("zeroPoints" in edit) checkGrid(emitter.graph, edit);
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
        emitter.quantizeTable(edit);
        break;
      case "dynamic":
        emitter.dynamic.make(edit);
        break;
      case "blocks":
        emitter.blocks.make(edit);
        break;
      case "kept":
        emitter.kept.storeWeight(edit);
        break;
      case "stored":
        emitter.kept.store(edit);
        break;
      case "recurrent":
        makeRecurrentLayer(emitter.graph, edit);
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
  readonly storage: CodeStorage;
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

/** Types that QuantizeLinear and DequantizeLinear have had from the first; others came with opset 21. */
const BYTE_TYPES: readonly string[] = ["uint8", "int8", "int32"];
const OPSET_OF_OTHERS = 21;

/** Makes the edits, one kind a method. */
class Emitter {
  readonly graph: GraphEditor;
  readonly dynamic: DynamicLayers;
  readonly blocks: BlockLayers;
  readonly kept: StoredWeights;
  /** Initializers of quantized constants by the name of the float one: nodes that share it share them. */
  readonly #stored = new Map<
    string,
    { constant: QuantizedConstant; inputs: readonly string[] }[]
  >();
  readonly #blockTables: BlockTables;
  /** Tables by the name of the float one. */
  readonly #tables = new Map<string, Table>();

  constructor(model: Model) {
    this.graph = new GraphEditor(model);
    this.dynamic = new DynamicLayers(this.graph);
    this.blocks = new BlockLayers(this.graph);
    this.kept = new StoredWeights(this.graph);
    this.#blockTables = new BlockTables(this.graph);
  }

  /** The producer of an activation function's input makes its output directly. */
  absorb(name: string): void {
    const node = this.graph.node(name);
    const [input] = this.graph.inputsOf(node);
    const [output] = this.graph.outputsOf(node);
    const producer = this.graph.producer(input);
    if (producer === undefined) throw this.graph.missing(`a producer of ${JSON.stringify(input)}`);
    this.graph.rename(producer, input, output);
    this.graph.remove(node);
  }

  /** T → Q → (Clip) → DQ → T: the float tensor takes another name, so that every reader gets the dequantized one. */
  quantizeActivation({ tensor, grid, storage, isClipped }: Edit & { kind: "activation" }): void {
    const producer = this.graph.producer(tensor);
    const isInput = this.graph.isInput(tensor);
    if (producer === undefined && !isInput) {
      throw this.graph.missing(`tensor ${JSON.stringify(tensor)}`);
    }
    const floatName = isInput ? tensor : this.graph.fresh(`${tensor}/float`);
    const dequantized = isInput ? this.graph.fresh(`${tensor}/dequantized`) : tensor;
    if (producer !== undefined) this.graph.rename(producer, tensor, floatName);
    else this.graph.redirect(tensor, dequantized);
    const scale = this.graph.tensor(`${tensor}/scale`, [], Float32Array.of(grid.scale));
    const zero = this.graph.codes(`${tensor}/zero_point`, [], [grid.zeroPoint], storage);
    const is16Bit = storage.endsWith("16");
    const { quantizedMin, quantizedMax, zeroPoint } = grid;
    const clip = (input: string, low: string, high: string) => {
      const clipped = this.graph.fresh(`${tensor}/clipped`);
      this.graph.add("Clip", [input, low, high], clipped);
      return clipped;
    };
    // Clip on codes keeps the integer kernels; Clip has none for 16 bits, and rounding is monotone.
    const ends = [quantizedMin, quantizedMax].map((code, i) => {
      if (!isClipped) return "";
      const name = `${tensor}/${i === 0 ? "min" : "max"}`;
      return is16Bit
        ? this.graph.tensor(name, [], Float32Array.of((code - zeroPoint) * grid.scale))
        : this.graph.codes(name, [], [code], storage);
    });
    const input = isClipped && is16Bit ? clip(floatName, ends[0], ends[1]) : floatName;
    const codes = this.graph.fresh(`${tensor}/quantized`);
    this.#addLinear("QuantizeLinear", [input, scale, zero], codes, storage);
    const inRange = isClipped && !is16Bit ? clip(codes, ends[0], ends[1]) : codes;
    this.#addLinear("DequantizeLinear", [inRange, scale, zero], dequantized, storage);
  }

  quantizeWeight(
    { node, input, axis, blockSize, scales, zeroPoints, codes, rounded, storage }: Edit & {
      kind: "weight";
    },
  ): void {
    const { name, dims, data } = this.graph.constant(node, input);
    if (blockSize !== undefined) this.#checkBlocks();
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
      this.graph.inputsOf(this.graph.node(node))[input] = this.graph.tensor(
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
  quantizeTable({ node, blockSize }: Edit & { kind: "table" }): void {
    if (blockSize !== undefined) return this.#blockTables.make(node, blockSize);
    const gather = this.graph.node(node);
    const { name, dims, data } = this.graph.constant(node, 0);
    const inputs = this.#tables.get(name) ?? this.#storeTable(name, dims, data);
    this.#tables.set(name, inputs);
    const [, indices] = this.graph.inputsOf(gather);
    const [output] = this.graph.outputsOf(gather);
    const [codes, steps, numbers] = ["codes", "steps", "numbers"].map((what) =>
      this.graph.fresh(`${output}/${what}`)
    );
    this.graph.rename(gather, output, codes);
    this.graph.inputsOf(gather)[0] = inputs.codes;
    this.graph.add("Gather", [inputs.steps, indices], steps);
    this.graph.add("Cast", [codes], numbers, { attributes: { to: TensorProto_DataType.FLOAT } });
    this.graph.add("Mul", [numbers, steps], output);
  }

  #storeTable(name: string, dims: readonly number[], data: Float32Array): Table {
    const { codes, scales } = quantizeRows(data, dims);
    return {
      codes: this.graph.codes(`${name}/quantized`, dims, codes, "int8"),
      steps: this.graph.tensor(
        `${name}/scale`,
        dims.map((size, axis) => axis === 0 ? size : 1),
        scales,
      ),
    };
  }

  /** The bias of a layer; zeros, which are added, where it has none and is to be shifted. */
  #bias(node: string, input: number, shift: readonly number[] | undefined) {
    if (shift === undefined || (this.graph.node(node).input[input] ?? "") !== "") {
      return this.graph.constant(node, input);
    }
    const inputs = this.graph.inputsOf(this.graph.node(node));
    while (inputs.length <= input) inputs.push("");
    return { name: `${node}/bias`, dims: [shift.length], data: new Float32Array(shift.length) };
  }

  /** Blocks came with opset 21, and ONNX Runtime's own operators have none. */
  #checkBlocks(): void {
    const opset = this.graph.opset;
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
    return this.graph.finish();
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
      this.graph.codes(`${name}/quantized`, dims, codes, storage),
      this.graph.tensor(`${name}/scale`, shape, scales),
      ...(zeroPoints ? [this.graph.codes(`${name}/zero_point`, shape, zeroPoints, storage)] : []),
    ];
    if (stored === undefined) {
      this.#stored.set(name, [...this.#stored.get(name) ?? [], { constant, inputs }]);
    }
    const output = this.graph.fresh(`${name}/dequantized`);
    this.#addLinear("DequantizeLinear", [...inputs], output, storage, {
      ...(axis === undefined ? {} : { axis }),
      ...(blockSize === undefined ? {} : { block_size: blockSize }),
    });
    this.graph.inputsOf(this.graph.node(node))[input] = output;
  }

  /** Adds QuantizeLinear or DequantizeLinear, from the domain that has it for this type. */
  #addLinear(
    op: "QuantizeLinear" | "DequantizeLinear",
    inputs: string[],
    output: string,
    storage: CodeStorage,
    attributes: Record<string, number> = {},
  ): void {
    const isContrib = !BYTE_TYPES.includes(storage) && this.graph.opset < OPSET_OF_OTHERS;
    this.graph.add(op, inputs, output, { attributes, domain: isContrib ? CONTRIB_DOMAIN : "" });
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
