/**
 * Models that are quantized already: found, and turned back into float where they say how.
 *
 * A QDQ model holds real numbers between its QuantizeLinear and DequantizeLinear: without the pairs it
 * is a float model again, with the weights that the codes stand for. Operators that compute with codes
 * (QLinearConv, ConvInteger …) are left to the user, who has the float model or doesn't.
 *
 * @module
 */
import { type NodeProto, type TensorProto, TensorProto_DataType } from "../file/onnx_pb.ts";
import { PlimsollError } from "../../core/errors.ts";
import { option } from "../../core/option_words.ts";
import { CODE_LIMITS, isQuantizedOperator, quantizedNodes, readCodes } from "../quantized/codes.ts";
import { constantFloats } from "../graph/constant_value.ts";
import { editGraph } from "../graph/edit_graph.ts";
import { foldConstantNodes } from "./fold_constants.ts";
import { type GraphIndex, indexGraph, reads } from "../graph/graph_index.ts";
import { type Model, opsetVersion, withFields } from "../file/model.ts";
import { nameMaker } from "../graph/names.ts";
import { describeNode, intAttribute, isOperator, makeNode, subgraphs } from "../graph/node.ts";
import { viewNode } from "../graph/node_view.ts";
import { dataOutputs, keptBy } from "../operators/operators.ts";
import { nonNegativeTensors } from "../operators/non_negative.ts";
import { scaleIndex } from "../quantized/scale_index.ts";
import { dimensions, makeTensor } from "../file/tensor.ts";

/**
 * Refuses a model that is quantized already.
 *
 * @param name How the message calls the file.
 * @throws {PlimsollError} kind `model`, naming the first such operator and how many there are.
 */
export function refuseQuantized(model: Model, name: string): void {
  const found = quantizedNodes(model.graph);
  if (found.length === 0) return;
  const more = found.length === 1 ? "" : ` and ${found.length - 1} more quantized operators`;
  throw new PlimsollError("model", {
    action: `reading ${JSON.stringify(name)} as a float model`,
    wanted: "a model without quantized operators",
    found: `${describeNode(found[0])}${more}`,
    remedy: `Give the float model, or ${option("requantize")} to take the real values of this one`,
  });
}

/**
 * Turns a QDQ model into a float model. Constants behind DequantizeLinear become the float32 numbers
 * that the operator gives, bit for bit. QuantizeLinear and DequantizeLinear around an activation go; a
 * Clip on codes becomes one on the real numbers, and where a grid starts at zero (a Relu may have gone
 * into it) a Clip to the grid's range takes its place, unless no value can be negative there. A grid
 * with values below zero leaves nothing behind: what it saturated is free again.
 *
 * A model without quantized operators is returned as it is.
 *
 * @param name How messages call the file.
 * @throws {PlimsollError} kind `model` for operators that compute with codes, and for pairs whose
 * scales differ or aren't constant.
 */
export function dequantizeModel(model: Model, name: string): Model {
  if (quantizedNodes(model.graph).length === 0) return model;
  return new Dequantizer(foldConstantNodes(model), name).run();
}

/** A tensor of codes. */
interface Codes {
  /** QuantizeLinear that gave the grid. */
  readonly grid: NodeProto;
  /** The float tensor in its place, before the bounds. */
  readonly real: string;
  /** Codes that a Clip, or the start of the grid at zero, leaves; undefined where open. */
  readonly low?: number;
  readonly high?: number;
}

/** Constants of a QuantizeLinear or DequantizeLinear. */
interface Grid {
  readonly scales: Float32Array;
  readonly scaleDims: readonly number[];
  /** As many as scales. */
  readonly zeros: ArrayLike<number>;
  readonly type: TensorProto_DataType;
}

/** First opset whose Clip has its bounds as inputs. */
const MIN_OPSET = 11;

/** Walks a graph in topological order and collects its float nodes. */
class Dequantizer {
  readonly #model: Model;
  readonly #name: string;
  readonly #index: GraphIndex;
  readonly #fresh: (wish: string) => string;
  /** What sub-graphs read from this graph: such a tensor must keep its name. */
  readonly #captured: ReadonlySet<string>;
  readonly #nonNegative: ReadonlySet<string>;
  readonly #codes = new Map<string, Codes>();
  /** Outputs of DequantizeLinear that are another tensor now. */
  readonly #aliases = new Map<string, string>();
  /** Clips that were made, by what they clip. */
  readonly #clipped = new Map<string, string>();
  readonly #nodes: NodeProto[] = [];
  readonly #initializers: TensorProto[] = [];

  constructor(model: Model, name: string) {
    this.#model = model;
    this.#name = name;
    this.#index = indexGraph(model.graph);
    this.#fresh = nameMaker(model.graph);
    this.#captured = new Set(
      model.graph.node.flatMap((node) => [...reads(node)].filter((x) => !node.input.includes(x))),
    );
    this.#nonNegative = nonNegativeTensors(this.#asReal());
  }

  /** The graph as it is on real numbers: a grid that starts at zero is a Relu, the other nodes pass. */
  #asReal(): GraphIndex {
    const isCodes = (name: string) => this.#index.producers.get(name)?.opType === "QuantizeLinear";
    const nodes = this.#index.nodes.map((node) => {
      const { opType } = node;
      if (opType === "QuantizeLinear" && this.#startsAtZero(node)) {
        return withFields(node, { opType: "Relu", domain: "" });
      }
      const passes = opType === "QuantizeLinear" || opType === "DequantizeLinear" ||
        isCodes(node.input[0]);
      return passes ? withFields(node, { opType: "Identity", domain: "" }) : node;
    });
    return { ...this.#index, nodes };
  }

  #startsAtZero(node: NodeProto): boolean {
    const { zeros, type } = this.#grid(node);
    const least = CODE_LIMITS[type]?.[0];
    return least !== undefined && Array.from(zeros).every((zero) => zero === least);
  }

  run(): Model {
    const opset = opsetVersion(this.#model);
    if (opset < MIN_OPSET) {
      throw this.#refuse(this.#index.nodes[0], `in a model of opset ${opset}, before ${MIN_OPSET}`);
    }
    for (const node of this.#index.nodes) {
      if (node.opType === "QuantizeLinear") this.#quantize(node);
      else if (node.opType === "DequantizeLinear") this.#dequantize(node);
      else this.#convert(node);
    }
    const renamed = this.#chooseNames();
    const rename = (tensor: string) => renamed.get(tensor) ?? tensor;
    const add = this.#nodes.map((node) =>
      withFields(node, { input: node.input.map(rename), output: node.output.map(rename) })
    );
    // Types of what were codes aren't true any more.
    const valueInfo = this.#model.graph.valueInfo.filter(({ name }) => !this.#codes.has(name));
    const graph = withFields(this.#model.graph, { valueInfo });
    return editGraph(withFields<Model>(this.#model, { graph }), {
      remove: new Set(graph.node),
      add,
      initializers: this.#initializers,
    });
  }

  #quantize(node: NodeProto): void {
    const [input, output] = [this.#real(node.input[0]), node.output[0]];
    if (this.#index.outputs.has(output)) {
      throw this.#refuse(node, "which makes an output of the model");
    }
    const grid = this.#grid(node);
    const isComputed = this.#index.producers.has(node.input[0]);
    const mayClamp = isComputed && grid.scales.length === 1 && this.#startsAtZero(node) &&
      !this.#nonNegative.has(node.input[0]);
    const [low, high] = mayClamp ? CODE_LIMITS[grid.type]! : [undefined, undefined];
    this.#codes.set(output, { grid: node, real: input, low, high });
  }

  #dequantize(node: NodeProto): void {
    const [input, output] = [node.input[0], node.output[0]];
    const constant = this.#index.initializers.get(input);
    if (constant !== undefined) return this.#foldConstant(node, constant);
    const codes = this.#codes.get(input);
    if (codes === undefined) throw this.#refuse(node, "whose codes no QuantizeLinear makes");
    if (!this.#isSameGrid(codes.grid, node)) {
      throw this.#refuse(
        node,
        `whose scale or zero point isn't that of ${describeNode(codes.grid)}`,
      );
    }
    this.#aliases.set(output, this.#bounded(codes));
  }

  /** Any other node: it moves codes, clips codes, or computes with floats. */
  #convert(node: NodeProto): void {
    for (const graph of subgraphs(node)) {
      const [inner] = quantizedNodes(graph);
      if (inner !== undefined) throw this.#refuse(inner, `in a sub-graph of ${describeNode(node)}`);
    }
    const [first] = node.input;
    const codes = this.#codes.get(first);
    if (codes !== undefined && isOperator(node, "Clip")) return this.#clip(node, codes);
    // What is moved without a look at it stays on the grid of the first input.
    const isMover = codes !== undefined && keptBy(viewNode(node)) === "elements";
    const others = [...reads(node)].filter((name) => name !== first || !isMover);
    if (isQuantizedOperator(node) || others.some((name) => this.#codes.has(name))) {
      throw this.#refuse(node, "which computes with codes");
    }
    if (!isMover) {
      this.#nodes.push(withFields(node, { input: node.input.map((name) => this.#real(name)) }));
      return;
    }
    const input = [this.#bounded(codes), ...node.input.slice(1).map((name) => this.#real(name))];
    this.#nodes.push(withFields(node, { input }));
    for (const output of dataOutputs(viewNode(node))) {
      if (this.#index.outputs.has(output)) throw this.#refuse(node, "whose codes the model gives");
      this.#codes.set(output, { grid: codes.grid, real: output });
    }
  }

  #clip(node: NodeProto, codes: Codes): void {
    const grid = this.#grid(codes.grid);
    const limits = CODE_LIMITS[grid.type];
    const [least, most] = node.input.slice(1).map((name) => {
      const tensor = name === "" ? undefined : this.#index.initializers.get(name);
      if (name !== "" && tensor === undefined) throw this.#refuse(node, "whose bounds vary");
      return tensor && readCodes(tensor)?.[0];
    });
    if (grid.scales.length !== 1 || limits === undefined) {
      throw this.#refuse(node, "which computes with codes of several scales");
    }
    // A bound at the end of the type does nothing.
    const low = least === undefined || least <= limits[0] ? codes.low : least;
    const high = most === undefined || most >= limits[1] ? codes.high : most;
    this.#codes.set(node.output[0], { ...codes, low, high });
  }

  #foldConstant(node: NodeProto, constant: TensorProto): void {
    const codes = readCodes(constant);
    if (codes === undefined) {
      const type = TensorProto_DataType[constant.dataType] ?? constant.dataType;
      throw this.#refuse(node, `which reads codes of type ${type}`);
    }
    const dims = dimensions(constant);
    const indexOf = this.#scaleIndex(node, dims);
    const { scales, zeros } = this.#grid(node);
    // As the operator does it: the difference and the product are each rounded to float32 once.
    const data = Float32Array.from(codes, (code, i) => {
      const s = indexOf(i);
      return Math.fround(code - zeros[s]) * scales[s];
    });
    const output = node.output[0];
    const isNeeded = this.#index.outputs.has(output);
    const name = isNeeded ? this.#fresh(`${output}/float`) : output;
    this.#initializers.push(makeTensor(name, dims, data));
    // A graph output can't be an initializer in every runtime.
    if (isNeeded) this.#nodes.push(identity(name, output));
  }

  /** Which scale an element has: one in all, one along an axis, or one a block of the axis. */
  #scaleIndex(node: NodeProto, dims: readonly number[]): (i: number) => number {
    const { scales, scaleDims } = this.#grid(node);
    if (scales.length === 1) return () => 0;
    const given = intAttribute(node, "axis", 1);
    const axis = given < 0 ? given + dims.length : given;
    const size = dims[axis];
    const block = intAttribute(node, "block_size", 0);
    if (block === 0) {
      if (scales.length !== size) throw this.#refuse(node, "whose scales don't fit its axis");
      return scaleIndex(dims, axis);
    }
    const blocks = Math.ceil(size / block);
    const fits = scaleDims.length === dims.length &&
      scaleDims.every((dim, a) => dim === (a === axis ? blocks : dims[a]));
    if (!fits) throw this.#refuse(node, "whose scales don't fit its blocks");
    return scaleIndex(dims, axis, block);
  }

  #grid(node: NodeProto): Grid {
    const scale = constantFloats(this.#index, node.input[1]);
    if (scale === undefined) throw this.#refuse(node, "whose scale isn't a float32 constant");
    const zeroName = node.input[2] ?? "";
    const zero = this.#index.initializers.get(zeroName);
    if (zeroName !== "" && zero === undefined) {
      throw this.#refuse(node, "whose zero point isn't constant");
    }
    const zeros = zero === undefined ? new Int8Array(scale.data.length) : readCodes(zero);
    if (zeros === undefined || zeros.length !== scale.data.length) {
      throw this.#refuse(node, "whose zero point can't be read");
    }
    const declared = intAttribute(node, "output_dtype", 0);
    const type = zero?.dataType ?? (declared === 0 ? TensorProto_DataType.UINT8 : declared);
    return { scales: scale.data, scaleDims: scale.dims, zeros, type };
  }

  #isSameGrid(a: NodeProto, b: NodeProto): boolean {
    if (a.input[1] === b.input[1] && a.input[2] === b.input[2]) return true;
    const [x, y] = [this.#grid(a), this.#grid(b)];
    return x.scales.length === y.scales.length &&
      x.scales.every((scale, i) => scale === y.scales[i] && x.zeros[i] === y.zeros[i]);
  }

  /** The float tensor in the place of codes, clipped where they are. */
  #bounded({ grid, real, low, high }: Codes): string {
    if (low === undefined && high === undefined) return real;
    const { scales: [scale], zeros } = this.#grid(grid);
    const bounds = [low, high].map((code) =>
      code === undefined ? undefined : Math.fround((code - zeros[0]) * scale)
    );
    const key = JSON.stringify([real, ...bounds]);
    const made = this.#clipped.get(key);
    if (made !== undefined) return made;
    const output = this.#fresh(`${real}/clipped`);
    const inputs = bounds.map((bound, i) => {
      if (bound === undefined) return "";
      const name = this.#fresh(`${real}/${["min", "max"][i]}`);
      this.#initializers.push(makeTensor(name, [], Float32Array.of(bound)));
      return name;
    });
    this.#nodes.push(makeNode("Clip", this.#fresh(`${output}/Clip`), [real, ...inputs], [output]));
    this.#clipped.set(key, output);
    return output;
  }

  /** The tensor that has the values of `name`. */
  #real(name: string): string {
    return this.#aliases.get(name) ?? name;
  }

  /**
   * Outputs of the model keep their names, and tensors get back those that quantizers took from them
   * (`T/float`, `T_QuantizeLinear_Input`). Where a name can't be given, an Identity makes the tensor.
   */
  #chooseNames(): Map<string, string> {
    const renamed = new Map<string, string>();
    const made = new Set(this.#nodes.flatMap(({ output }) => output));
    for (const [name, real] of this.#aliases) {
      const isNeeded = this.#index.outputs.has(name) || this.#captured.has(name);
      const isFree = made.has(real) && !renamed.has(real) && !this.#index.outputs.has(real) &&
        !this.#captured.has(real);
      if (isFree && (isNeeded || real.startsWith(name))) renamed.set(real, name);
      else if (isNeeded) this.#nodes.push(identity(real, name));
    }
    return renamed;
  }

  #refuse(node: NodeProto, why: string): PlimsollError {
    return new PlimsollError("model", {
      action: `turning ${JSON.stringify(this.#name)} back into a float model`,
      wanted: "QuantizeLinear and DequantizeLinear in pairs, and DequantizeLinear of constants",
      found: `${describeNode(node)}, ${why}`,
      remedy: "Give the float model",
    });
  }
}

function identity(input: string, output: string): NodeProto {
  return makeNode("Identity", `${output}/Identity`, [input], [output]);
}
