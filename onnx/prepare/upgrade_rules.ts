/**
 * What changed in the standard operators between opset 7 and 13.
 *
 * Made from `onnx.defs.get_all_schemas_with_history()` of onnx 1.23. Operators of the table in `operators.ts` that are
 * as old as opset 13 and not here mean the same in it as in any older set that has them: at most, they have got more
 * element types, optional inputs, attributes with the old behaviour as their default, or negative axes.
 *
 * @module
 */
import { type NodeProto, type TensorProto, TensorProto_DataType } from "../file/onnx_pb.ts";
import { constantNumbers, type Initializers } from "../graph/constant_value.ts";
import { operatorNamed } from "../operators/operators.ts";
import type { Shapes } from "../operators/infer_shapes.ts";
import type { ElementTypes } from "../operators/infer_types.ts";
import { withFields } from "../file/model.ts";
import {
  intAttribute,
  intsAttribute,
  makeNode,
  stringAttribute,
  withAttributes,
} from "../graph/node.ts";
import { makeTensor } from "../file/tensor.ts";

/** What older models are upgraded to. */
export const UPGRADED_OPSET = 13;

/** What an upgrade can ask and make. */
export interface UpgradeContext extends Initializers {
  /** Version that the model is of. */
  readonly opset: number;
  readonly shapes: Shapes;
  readonly types: ElementTypes;
  /** Whether anything reads a tensor. */
  isRead(name: string): boolean;
  /** A name for a new tensor. */
  newName(wish: string): string;
  /** Adds a constant and returns its name. */
  addConstant(wish: string, make: (name: string) => TensorProto): string;
}

/** One change of an operator. */
export interface Upgrade {
  /** The version that brought it: older models need the upgrade. */
  readonly before: number;
  /** The node in the words of opset 13; where it can't be said, what would be needed. */
  readonly upgrade: (node: NodeProto, context: UpgradeContext) => readonly NodeProto[] | string;
}

/** Whether an operator for which no change is left means the same in the new operator set. */
export function meansTheSame(op: string): boolean {
  const { since, until = Infinity } = operatorNamed(op) ?? { since: Infinity };
  return since <= UPGRADED_OPSET && UPGRADED_OPSET < until;
}

/** Changes that a model notices, by operator, oldest first. */
export const UPGRADES: Readonly<Record<string, readonly Upgrade[]>> = {
  BatchNormalization: [{ before: 9, upgrade: dropSpatial }],
  Clip: [{ before: 11, upgrade: boundsToInputs }],
  ConvTranspose: [{ before: 11, upgrade: checkTransposedPadding }],
  Dropout: [{ before: 12, upgrade: dropRatio }],
  Hardmax: [{ before: 13, upgrade: flattenAround }],
  LogSoftmax: [{ before: 13, upgrade: flattenAround }],
  OneHot: [{ before: 11, upgrade: () => "OneHot of opset 11, where negative indices count" }],
  Pad: [{ before: 11, upgrade: paddingToInputs }],
  ReduceSum: [{ before: 13, upgrade: listsToInputs("axes") }],
  Resize: [{ before: 11, upgrade: resizeAsymmetric }, { before: 13, upgrade: checkResizeMode }],
  Scan: [{ before: 9, upgrade: () => "Scan of opset 9, which has no batch axis" }],
  // The same under its new name.
  Scatter: [{ before: 13, upgrade: (node) => [withFields(node, { opType: "ScatterElements" })] }],
  Slice: [{ before: 10, upgrade: listsToInputs("starts", "ends", "axes") }],
  Softmax: [{ before: 13, upgrade: flattenAround }],
  Split: [{ before: 13, upgrade: listsToInputs("split") }],
  Squeeze: [{ before: 13, upgrade: listsToInputs("axes") }],
  ThresholdedRelu: [{ before: 10, upgrade: () => "ThresholdedRelu of opset 10" }],
  TopK: [{ before: 10, upgrade: countToInput }],
  Unsqueeze: [{ before: 13, upgrade: listsToInputs("axes") }],
  Upsample: [
    { before: 9, upgrade: upsampleByAttribute },
    { before: 10, upgrade: (node) => [asymmetricResize(node, node.input[1], "floor")] },
  ],
};

/** Attributes that are lists of integers become inputs behind the first one, in this order. */
function listsToInputs(...names: readonly string[]): Upgrade["upgrade"] {
  return (node, { addConstant }) => {
    const input = node.input.slice(0, 1);
    for (const name of names) {
      // 64-bit: the end of a Slice is often the largest number there is.
      const ints = node.attribute.find((entry) => entry.name === name)?.ints;
      input.push(
        ints === undefined ? "" : addConstant(
          `${node.output[0]}/${name}`,
          (tensor) => makeTensor(tensor, [ints.length], BigInt64Array.from(ints)),
        ),
      );
    }
    while (input.at(-1) === "") input.pop();
    const gone = Object.fromEntries(names.map((name) => [name, undefined]));
    return [withFields(withAttributes(node, gone), { input })];
  };
}

/** A float attribute as a constant of the type of the node's input. */
function floatToInput(node: NodeProto, name: string, context: UpgradeContext): string | undefined {
  const value = node.attribute.find((entry) => entry.name === name)?.f;
  if (value === undefined) return "";
  const { FLOAT, DOUBLE } = TensorProto_DataType;
  // A sub-graph's types aren't known; the runtime refuses the model if this isn't float32.
  const type = context.types.get(node.input[0]) ?? FLOAT;
  if (type !== FLOAT && type !== DOUBLE) return undefined;
  const data = type === FLOAT ? Float32Array.of(value) : Float64Array.of(value);
  return context.addConstant(`${node.output[0]}/${name}`, (tensor) => makeTensor(tensor, [], data));
}

const FLOAT_INPUT = "an input of float32 or float64";

function boundsToInputs(node: NodeProto, context: UpgradeContext): NodeProto[] | string {
  const low = floatToInput(node, "min", context);
  const high = floatToInput(node, "max", context);
  if (low === undefined || high === undefined) return FLOAT_INPUT;
  const input = high === "" ? low === "" ? [] : [low] : [low, high];
  const plain = withAttributes(node, { min: undefined, max: undefined });
  return [withFields(plain, { input: [node.input[0], ...input] })];
}

function paddingToInputs(node: NodeProto, context: UpgradeContext): NodeProto[] | string {
  const value = floatToInput(node, "value", context);
  if (value === undefined) return FLOAT_INPUT;
  const [padded] = listsToInputs("pads")(node, context) as readonly NodeProto[];
  const input = value === "" ? padded.input : [...padded.input, value];
  return [withFields(withAttributes(padded, { value: undefined }), { input })];
}

function countToInput(node: NodeProto, { addConstant }: UpgradeContext): NodeProto[] {
  const count = addConstant(
    `${node.output[0]}/k`,
    (name) => makeTensor(name, [1], BigInt64Array.of(BigInt(intAttribute(node, "k", 1)))),
  );
  return [withFields(withAttributes(node, { k: undefined }), { input: [node.input[0], count] })];
}

/** `spatial = 0` normalised each element by its own numbers. */
function dropSpatial(node: NodeProto): NodeProto[] | string {
  return intAttribute(node, "spatial", 1) === 1
    ? [withAttributes(node, { spatial: undefined })]
    : "spatial = 1";
}

/** Without a ratio and a training mode, Dropout still passes its input on. */
function dropRatio(node: NodeProto, { opset, isRead }: UpgradeContext): NodeProto[] | string {
  const mask = node.output[1] ?? "";
  if (opset < 10 && mask !== "" && isRead(mask)) return "a mask of Booleans";
  return [withAttributes(node, { ratio: undefined })];
}

/** Version 11 swapped which side gets the odd element where padding follows from the output's shape. */
function checkTransposedPadding(node: NodeProto): NodeProto[] | string {
  const isExplicit = ["NOTSET", "VALID"].includes(stringAttribute(node, "auto_pad", "NOTSET")) &&
    intsAttribute(node, "output_shape") === undefined;
  return isExplicit ? [node] : "explicit pads";
}

/**
 * Softmax, LogSoftmax and Hardmax used to see […, axis, …] as the matrix [all before axis, all from
 * axis on] and work on its rows; now they work along one axis. That is the same when all axes behind
 * it have one element. Otherwise Flatten makes the matrix and Reshape takes it back.
 */
function flattenAround(node: NodeProto, { shapes, newName }: UpgradeContext): NodeProto[] {
  const axis = intAttribute(node, "axis", 1);
  const shape = shapes.get(node.input[0]);
  const isLast = axis === -1 ||
    shape !== undefined && shape.slice(axis < 0 ? axis + shape.length + 1 : axis + 1)
        .every((dim) => dim === 1);
  if (isLast) return [withAttributes(node, { axis })];
  const [[input], [output]] = [node.input, node.output];
  const named = (role: string) => newName(`${output}/${role}`);
  const [rows, mapped, size] = [named("rows"), named("mapped"), named("shape")];
  return [
    makeNode("Flatten", "", [input], [rows], { axis }),
    withFields(withAttributes(node, { axis: -1 }), { input: [rows], output: [mapped] }),
    makeNode("Shape", "", [input], [size]),
    makeNode("Reshape", "", [mapped, size], [output]),
  ];
}

/**
 * Version 10 had no modes. ONNX Runtime divides the position by the scale; the nearest element is the
 * one below when it scales up, and the one above when it scales down (measured).
 */
function resizeAsymmetric(node: NodeProto, context: UpgradeContext): NodeProto[] | string {
  const [, scales] = node.input;
  if (stringAttribute(node, "mode", "nearest") !== "nearest") {
    return [asymmetricResize(node, scales, "floor")];
  }
  const values = constantNumbers(context, scales);
  if (values?.every((scale) => scale >= 1)) return [asymmetricResize(node, scales, "floor")];
  if (values?.every((scale) => scale <= 1)) return [asymmetricResize(node, scales, "ceil")];
  return "constant scales that are all at least 1 or all at most 1";
}

function upsampleByAttribute(node: NodeProto, { addConstant }: UpgradeContext): NodeProto[] {
  const factors = node.attribute.find(({ name }) => name === "scales")?.floats ?? [];
  const scales = addConstant(
    `${node.output[0]}/scales`,
    (name) => makeTensor(name, [factors.length], Float32Array.from(factors)),
  );
  return [asymmetricResize(withAttributes(node, { scales: undefined }), scales, "floor")];
}

function asymmetricResize(node: NodeProto, scales: string, nearest: "floor" | "ceil"): NodeProto {
  const resize = withFields(node, { opType: "Resize", input: [node.input[0], "", scales] });
  return withAttributes(resize, {
    coordinate_transformation_mode: "asymmetric",
    nearest_mode: nearest,
  });
}

function checkResizeMode(node: NodeProto): NodeProto[] | string {
  const mode = stringAttribute(node, "coordinate_transformation_mode", "half_pixel");
  return mode === "tf_half_pixel_for_nn" ? "another mode than tf_half_pixel_for_nn" : [node];
}
