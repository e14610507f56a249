/**
 * One model for all grids: the float model with the rounded weights of a manifest, whose activations are rounded to
 * grids that come as inputs. It tries grids without being emitted and loaded for each.
 *
 *     x ─► Div(step) ─► Clip(low, high) ─► Round ─► Mul(step) ─► Q(x)
 *
 * 1. These are QuantizeLinear and DequantizeLinear in float32: saturate(round(x/step)), half to even, times step
 *    (ONNX operator specification). Zero points, which only shift codes, and their types are not needed.
 * 2. `low` and `high` are integers and rounding is monotone: clipping before it is clipping after it.
 * 3. Clamps (Relu, Clip) that emission puts into the quantizer stay here: Q(clamp(x)) = clamp to Q(low) … Q(high) of
 *    Q(x), see `clampGrid`. So a grid needs no bounds of its own for each clamp.
 *
 * Without QuantizeLinear there is nothing that ONNX Runtime takes for a quantized model: it may be optimized like any
 * float model (71 ms a run of EfficientNet-Lite0 instead of 86 to 112 unoptimized, float 60, measured with 1.30), and
 * doesn't round float weights a second time, as it does beside quantized activations.
 *
 * Biases are corrected but stay float: their int32 grid, the step of the input times that of the weight, is far finer
 * than what is compared here.
 *
 * @module
 */
import type { NodeProto, TensorProto } from "../../onnx/file/onnx_pb.ts";
import { PlimsollError } from "../../core/errors.ts";
import type { Manifest, ManifestWeight } from "../manifest.ts";
import { editGraph } from "../../onnx/graph/edit_graph.ts";
import { type Model, withFields } from "../../onnx/file/model.ts";
import { nameMaker } from "../../onnx/graph/names.ts";
import { makeNode, nodeName } from "../../onnx/graph/node.ts";
import { BIAS_INPUT } from "../../onnx/operators/operators.ts";
import { dequantizeCodes, quantizeWeights } from "../../onnx/quantized/quantize_weights.ts";
import { dimensions, floatData, makeTensor } from "../../onnx/file/tensor.ts";
import { floatValue } from "../../onnx/graph/value_info.ts";
import type { WeightCodes } from "./insert_qdq.ts";
import { weightGrid } from "./weight_grid.ts";

/** Names of the scalar float32 inputs that hold a grid; see `Levels`. */
export interface GridInputs {
  readonly step: string;
  readonly low: string;
  readonly high: string;
}

/** A model whose grids are inputs. */
export interface VariableGrids {
  readonly model: Model;
  /** By the tensor that has the grid; those with `sameAs` have that of the other tensor. */
  readonly inputs: ReadonlyMap<string, GridInputs>;
  /**
   * Names of scalar float32 inputs by the node whose weights they switch: 1 rounds them, 0 leaves them float. Empty unless
   * that was asked for; then weights are rounded.
   */
  readonly switches: ReadonlyMap<string, string>;
}

/**
 * Makes the model. `model` stays as it was.
 *
 * @param model The prepared float model.
 * @param manifest With weight steps; of its activations only where they are matters.
 * @param hasSwitches Whether the rounding of weights can be switched off, layer by layer; slower.
 * @param codes Codes of weights that aren't the nearest ones, by node.
 * @throws {PlimsollError} kind `model` when model and manifest don't belong together.
 */
export function makeGridsVariable(
  model: Model,
  manifest: Manifest,
  hasSwitches = false,
  codes: WeightCodes = new Map(),
): VariableGrids {
  const { graph } = model;
  const fresh = nameMaker(graph);
  const edited = new Map(
    graph.node.map((node) => [node, { input: [...node.input], output: [...node.output] }]),
  );
  const add: NodeProto[] = [];
  const switches = new Map<string, string>();
  const mix: Mix | undefined = hasSwitches ? { add, switches } : undefined;
  const initializers = roundWeights(model, manifest.weights, { edited, fresh, mix, codes });
  const graphInputs = new Set(graph.input.map(({ name }) => name));
  const inputs = new Map<string, GridInputs>();
  for (const { tensor, sameAs } of manifest.activations) {
    const owner = sameAs ?? tensor;
    const grid = inputs.get(owner) ?? {
      step: fresh(`${owner}/step`),
      low: fresh(`${owner}/low`),
      high: fresh(`${owner}/high`),
    };
    inputs.set(owner, grid);
    const isInput = graphInputs.has(tensor);
    const float = isInput ? tensor : fresh(`${tensor}/float`);
    const rounded = isInput ? fresh(`${tensor}/rounded`) : tensor;
    for (const ends of edited.values()) {
      const list = isInput ? ends.input : ends.output;
      list.forEach((name, i) => name === tensor && (list[i] = isInput ? rounded : float));
    }
    add.push(...roundingNodes(float, rounded, grid, fresh));
  }
  const input = [
    ...graph.input,
    ...[...inputs.values()].flatMap(({ step, low, high }) => [step, low, high])
      .map((name) => floatValue(name, [])),
    ...[...switches.values()].map((name) => floatValue(name, [])),
  ];
  const withInputs = withFields<Model>(model, { graph: withFields(graph, { input }) });
  const changed = editGraph(withInputs, {
    replace: new Map([...edited].map(([node, ends]) => [node, withFields(node, ends)])),
    add,
    initializers,
  });
  return { model: changed, inputs, switches };
}

function roundingNodes(
  float: string,
  rounded: string,
  { step, low, high }: GridInputs,
  fresh: (wish: string) => string,
): NodeProto[] {
  const [divided, clipped, codes] = ["divided", "clipped", "codes"].map((what) =>
    fresh(`${rounded}/${what}`)
  );
  const node = (op: string, inputs: string[], output: string) =>
    makeNode(op, fresh(`${output}/${op}`), inputs, [output]);
  return [
    node("Div", [float, step], divided),
    node("Clip", [divided, low, high], clipped),
    node("Round", [clipped], codes),
    node("Mul", [codes, step], rounded),
  ];
}

/** A constant of the model. */
interface Constant {
  readonly dims: readonly number[];
  readonly data: Float32Array;
}

/** Where nodes and inputs of switched weights go. */
interface Mix {
  readonly add: NodeProto[];
  readonly switches: Map<string, string>;
}

/** Puts the real numbers of the weights' codes, and corrected biases, in the place of weights and biases. */
function roundWeights(
  { graph }: Model,
  weights: readonly ManifestWeight[],
  { edited, fresh, mix, codes }: {
    readonly edited: ReadonlyMap<NodeProto, { input: string[] }>;
    readonly fresh: (wish: string) => string;
    readonly mix: Mix | undefined;
    readonly codes: WeightCodes;
  },
): TensorProto[] {
  const nodes = new Map(graph.node.map((node) => [nodeName(node), node]));
  const tensors = new Map(graph.initializer.map((tensor) => [tensor.name, tensor]));
  const added: TensorProto[] = [];
  const put = (
    { input, position, node }: { input: string[]; position: number; node: string },
    before: Constant,
    after: Constant,
    name: string,
  ) => {
    while (input.length <= position) input.push("");
    input[position] = fresh(`${name}/rounded`);
    const { dims, data } = after;
    if (mix === undefined) return void added.push(makeTensor(input[position], dims, data));
    // before + switch · (after − before)
    const [float, difference, part] = ["float", "difference", "part"].map((what) =>
      fresh(`${name}/${what}`)
    );
    const on = mix.switches.get(node) ?? fresh(`${node}/switch`);
    mix.switches.set(node, on);
    added.push(makeTensor(float, dims, before.data));
    added.push(makeTensor(difference, dims, data.map((x, i) => x - before.data[i])));
    mix.add.push(
      makeNode("Mul", fresh(`${part}/Mul`), [difference, on], [part]),
      makeNode("Add", fresh(`${part}/Add`), [float, part], [input[position]]),
    );
  };
  for (const weight of weights) {
    const node = nodes.get(weight.node);
    if (node === undefined) throw missing(`node ${JSON.stringify(weight.node)}`);
    const { input } = edited.get(node)!;
    const float = constant(tensors, weight.tensor);
    const { dims, data } = float;
    const grid = weightGrid(weight);
    const own = codes.get(weight.node) ?? quantizeWeights(data, dims, grid);
    const rounded = dequantizeCodes(own, dims, grid);
    const place = { input, position: weight.input, node: weight.node };
    put(place, float, { dims, data: Float32Array.from(rounded) }, weight.tensor);
    const { bias, biasShift } = weight;
    if (biasShift === undefined) continue;
    const before = bias === undefined
      ? { dims: [biasShift.length], data: new Float32Array(biasShift.length) }
      : constant(tensors, bias.tensor);
    const shifted = before.data.map((b, c) => b - biasShift[c]);
    const name = bias?.tensor ?? `${weight.node}/bias`;
    const biasPlace = { input, position: bias?.input ?? BIAS_INPUT, node: weight.node };
    put(biasPlace, before, { dims: before.dims, data: shifted }, name);
  }
  return added;
}

function constant(tensors: ReadonlyMap<string, TensorProto>, name: string) {
  const tensor = tensors.get(name);
  const data = tensor && floatData(tensor);
  if (data === undefined) throw missing(`float32 constant ${JSON.stringify(name)}`);
  return { dims: dimensions(tensor!), data };
}

function missing(what: string): PlimsollError {
  return new PlimsollError("model", {
    action: "making a model whose grids are inputs",
    wanted: `${what}, which the manifest names`,
    found: "a model without it",
    remedy: "Give the model that the manifest was made for",
  });
}
