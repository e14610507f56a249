/**
 * Vocabulary of placement: what is decided about a graph before looking at data.
 *
 * @module
 */
import type {
  ActivationSpec,
  ActivationStorage,
  WeightSpec,
  WeightStorage,
} from "../../core/types.ts";
import { operatorNamed } from "../../onnx/operators/operators.ts";

/** One activation tensor that gets a quantizer. */
export interface ActivationPlan {
  readonly tensor: string;
  /** Operator and node that make it, the last of a fused chain; null for an input of the model. */
  readonly producer: { readonly op: string; readonly node: string } | null;
  readonly spec: ActivationSpec;
  /** What the spec would be, but for a setting of the target that gives the tensor more bits by pattern. */
  readonly usual?: ActivationSpec;
  /** Type of its codes. */
  readonly storage: ActivationStorage;
  /** Nodes that vanish: clamps at the end of a fused chain, whose effect is in `clamp`. */
  readonly fused: readonly string[];
  /** Range that the fused clamps leave, in real units; null bounds are open. */
  readonly clamp: { readonly low: number | null; readonly high: number | null };
  /** The tensor whose grid this one has, if any. It is not watched itself. */
  readonly sameAs?: string;
  /** True where an operator that preserves grids makes it: its codes are in range without clipping. */
  readonly isDerived: boolean;
  /** Further tensors that the grid of this one is chosen for, as the other inputs of a Concat; watched, too. */
  readonly sharedWith?: readonly string[];
  readonly reason: string;
}

/** One constant of one node that gets a quantizer: weights, or a constant operand. */
export interface WeightPlan {
  readonly tensor: string;
  readonly node: string;
  readonly op: string;
  /** Number of the node's input that holds the weights. */
  readonly input: number;
  /** The activation that the weights meet. */
  readonly activation: string;
  /** How the layer computes where not with codes of its activation's grid; see the manifest. */
  readonly compute?: "dynamic" | "float";
  /** Bias tensor and the number of its input, when the node has one; `node` adds it, where that is another one. */
  readonly bias?: { readonly tensor: string; readonly input: number; readonly node?: string };
  /** Axis of the output channels. */
  readonly axis: number;
  readonly spec: WeightSpec;
  /** Type of the codes. */
  readonly storage: WeightStorage;
  readonly reason: string;
}

/** A table of rows that are stored in codes; what picks them gives floats. */
export interface TablePlan {
  readonly tensor: string;
  /** Gather that picks its rows. */
  readonly node: string;
  readonly rows: number;
  readonly bits: 4 | 8;
  /** Numbers of a row that share a step, of 4 bits. */
  readonly blockSize?: number;
  readonly reason: string;
}

/** A recurrent layer whose input is quantized as the model runs. */
export interface RecurrentPlan {
  readonly node: string;
  readonly op: string;
  readonly kernel: "DynamicQuantizeLSTM";
  readonly bits: number;
  /** Names of its weights. */
  readonly weights: readonly string[];
  readonly reason: string;
}

/** A constant that is stored in fewer bytes, while all that reads it computes in float. */
export interface StoredPlan {
  readonly tensor: string;
  readonly type: "int8" | "float16";
  readonly reason: string;
}

/** A node that stays float. */
export interface FloatNode {
  readonly node: string;
  readonly op: string;
  /** Number of the island: float nodes that pass float tensors to each other are one. From 0. */
  readonly island: number;
  readonly reason: string;
}

/** What computes as one, as it was placed. */
export interface PlacedUnit {
  /** Node that overrides name it by: the first of a fused chain, the last of a composite. */
  readonly node: string;
  /** Operator, or name of the composite. */
  readonly op: string;
  /** Names of all its nodes, with those fused into it. */
  readonly nodes: readonly string[];
  /** Activations that it reads. */
  readonly inputs: readonly string[];
  /** Float tensors that it makes, of which the runtime sees codes where they are quantized. */
  readonly outputs: readonly string[];
  /** integer = computes with codes, moving = only moves elements, of codes or floats, float = computes with floats. */
  readonly kind: "integer" | "moving" | "float";
  /** Whether its kernel can give floats. */
  readonly givesFloat: boolean;
  /** Whether the user wants it on integers, whatever it costs. */
  readonly isPinned?: true;
}

/** Everything that was decided about a graph before looking at data. */
export interface Placement {
  /** Integer ones first, each kind in topological order; empty where nothing but weights is quantized. */
  readonly units: readonly PlacedUnit[];
  /** In topological order. */
  readonly activations: readonly ActivationPlan[];
  readonly weights: readonly WeightPlan[];
  /** In topological order. */
  readonly tables: readonly TablePlan[];
  readonly recurrent: readonly RecurrentPlan[];
  readonly stored: readonly StoredPlan[];
  readonly float: readonly FloatNode[];
}

/** Tensors whose statistics the search needs, and rounding by moments, which wants to know how far they reach. */
export function watchedTensors(
  { activations, weights }: Pick<Placement, "activations" | "weights">,
): string[] {
  const tensors = activations.filter(({ sameAs }) => sameAs === undefined)
    .flatMap(({ tensor, sharedWith = [] }) => [tensor, ...sharedWith]);
  const inputs = weights.filter(({ compute }) => compute !== undefined)
    .map(({ activation }) => activation);
  return [...new Set([...tensors, ...inputs])];
}

/** Whether a placement changes anything that a target is for; tables alone are small change. */
export function isIdle({ activations, weights, recurrent, stored }: Placement): boolean {
  return [activations, weights, recurrent, stored].every(({ length }) => length === 0);
}

/** Input of a layer, with the axis of its channels: 1, or −1 for the last. */
export interface LayerInput {
  readonly tensor: string;
  readonly axis: 1 | -1;
}

/** What a calibration looks at. */
export interface Watched {
  /** Tensors that the target quantizes by a grid of their own. */
  readonly tensors: readonly string[];
  /** Inputs of layers with weights; most are among `tensors`. */
  readonly layers: readonly LayerInput[];
}

/** Axis of the input channels of a layer; undefined for other operators. */
export function channelAxis(op: string): LayerInput["axis"] | undefined {
  return operatorNamed(op)?.weights?.channels;
}

/** Activations that meet quantized weights, each once: those whose channel means correct the bias. */
export function layerInputs({ weights }: Placement): LayerInput[] {
  const inputs = new Map<string, LayerInput>();
  for (const { op, input, activation: tensor } of weights) {
    const axis = channelAxis(op);
    // Input 1: not a constant on the left of a MatMul.
    if (axis !== undefined && input === 1) inputs.set(`${axis} ${tensor}`, { tensor, axis });
  }
  return [...inputs.values()];
}
