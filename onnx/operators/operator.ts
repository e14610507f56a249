/**
 * What the table of operators says about each of them.
 *
 * @module
 */
import type { TensorProto_DataType } from "../file/onnx_pb.ts";
import type { AttributeValue } from "../graph/node.ts";
import type { Constants, NodeView } from "../graph/node_view.ts";
import type { ShapeRule } from "./shape_rules.ts";

/** Range [low, high]; infinite where open. */
export type Range = readonly [low: number, high: number];

/** Where an operator keeps its weights. */
export interface Weights {
  /** Number of the input that holds the weights. */
  readonly input: number;
  /** Number of the input that holds the bias; undefined for operators without one. */
  readonly bias?: number;
  /** Axis of the output channels in the weight tensor; negative ones count from the end. */
  readonly axis: number;
  /** Axis of the input channels in the weight tensor. */
  readonly inputAxis: number;
  /** Attribute that swaps the two axes, if there is one. */
  readonly swappedBy?: string;
  /** Axis of the channels of the activation that the weights meet: 1, or −1 for the last. */
  readonly channels: 1 | -1;
  /** Whether the operator is of use with constant weights only; MatMul multiplies two activations as well. */
  readonly areNeeded: boolean;
}

/**
 * Element type of an output: an ONNX number, or where it comes from. An attribute that is there and not 0 counts
 * first, then the type of an input, then `otherwise`.
 */
export type TypeRule = TensorProto_DataType | {
  readonly attribute?: string;
  readonly input?: number;
  readonly otherwise?: TensorProto_DataType;
};

/**
 * What the elements of all outputs that hold data are: elements of the first input, moved or chosen, so that codes
 * pass as they are; or weighted means of them, with weights that aren't negative and add up to 1.
 */
export type Kept = "elements" | "means";

/**
 * One operator. Functions are given a node whose attributes are complete: those of `defaults` that it doesn't write
 * are there, too.
 */
export interface Operator {
  /** Version of its operator set that brought it. */
  readonly since: number;
  /** Version that took it out again. */
  readonly until?: number;
  /**
   * Element types of its outputs, the last one for all that follow; an empty list where only the model tells them.
   * Absent: all have the type of the first input.
   */
  readonly types?: readonly TypeRule[];
  /** Shape of its first output. */
  readonly shape: ShapeRule;
  /**
   * Numbers of the inputs that carry activations; all where absent. The others are parameters: weights, shapes, axes,
   * bounds, indices, masks, the scale and offset of a normalisation.
   */
  readonly data?: readonly number[];
  /** Its weights, where it is linear in its first input. */
  readonly weights?: Weights;
  /** Whether it is a convolution or a matrix product, with or without codes: what takes the time. */
  readonly isLinear?: true;
  /** Values that attributes have when they aren't written. */
  readonly defaults?: Readonly<Record<string, AttributeValue>>;
  /** Range of its first output by definition, whatever its inputs. */
  readonly range?: Range;
  /** Range that an activation function cuts its input to, and changes nothing inside; undefined when it varies. */
  readonly clamp?: (node: NodeView, constants: Constants) => Range | undefined;
  /** What its outputs consist of; absent: it computes. */
  readonly keeps?: Kept | ((node: NodeView) => Kept | undefined);
  /** Whether each element of its output is one of some data input's. */
  readonly joins?: true;
  /**
   * Whether f(s·x) = s·f(x) for s > 0, x being the first input: with one factor for all elements, or even with one for
   * each. What keeps elements or means is homogeneous without saying so.
   */
  readonly homogeneous?:
    | "tensor"
    | "elements"
    | ((node: NodeView, constants: Constants) => boolean);
  /** No output is negative when this isn't: the first input, or all that hold data. `range` and `keeps` say more. */
  readonly nonNegativeWith?: "first" | "all";
  /** Whether a mask in one of its inputs is in its output, too. */
  readonly passesMask?: true;
  /** Whether two inputs may change places. */
  readonly isCommutative?: true;
  /** Whether its result differs from run to run. */
  readonly isRandom?: true;
  /** Whether its outputs are sequences or optional values, no tensors. */
  readonly makesNoTensors?: true;
  /** Whether constants among its inputs are settings, as bounds or sizes, and no parameters of the model. */
  readonly hasSettings?: true;
  /** Whether it makes, reads or computes with integer codes. */
  readonly isQuantized?: true;
}

/** Operators by name: "Conv", "com.microsoft:QGemm". */
export type Operators = Readonly<Record<string, Operator>>;

/**
 * Records of operators that differ in nothing but their age.
 *
 * @param since The version that brought each.
 */
export function each(
  since: Readonly<Record<string, number>>,
  record: Omit<Operator, "since">,
): Operators {
  return Object.fromEntries(
    Object.entries(since).map(([name, version]) => [name, { since: version, ...record }]),
  );
}
