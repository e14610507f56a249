/**
 * What every exporter gets and gives: decisions in, another tool's file and what it couldn't hold out.
 *
 * @module
 */
import { STORED_CODES } from "../../core/grid.ts";
import type { ActivationStorage, WeightStorage } from "../../core/types.ts";
import type { ManifestActivation, ManifestWeight } from "../manifest.ts";

/** What exporters read of an activation. */
export type ExportedActivation = Pick<
  ManifestActivation,
  | ("tensor" | "bits" | "signed" | "constraint" | "scale" | "storage" | "zeroPoint")
  | ("quantizedMin" | "quantizedMax" | "fused")
>;

/** What exporters read of a weight tensor. */
export type ExportedWeight = Pick<
  ManifestWeight,
  | ("tensor" | "node" | "op" | "activation" | "axis" | "bits" | "storage" | "constraint")
  | ("granularity" | "clip" | "steps")
>;

/** The decisions of a manifest; a manifest is one. */
export interface Decisions {
  /** In topological order. */
  readonly activations: readonly ExportedActivation[];
  /** In topological order. */
  readonly weights: readonly ExportedWeight[];
  /** Tensors inside fused chains; a manifest doesn't name them, `innerTensors` finds them. */
  readonly inner?: readonly InnerTensor[];
}

/** A tensor between the nodes of a fused chain. */
export interface InnerTensor {
  readonly tensor: string;
  /** The activation at the end of the chain, whose quantizer is the only one of the chain. */
  readonly like: string;
}

/** A file of another tool. */
export interface Exported {
  /** Content of the file. */
  readonly text: string;
  /** What the format can't hold of the manifest, or holds otherwise; sentences for the user. */
  readonly notes: readonly string[];
}

/** Writes one format. */
export interface Exporter {
  /** One line for `--help`. */
  readonly description: string;
  /** File name when the user gives none. */
  readonly file: string;
  /** Pure: the same decisions give the same text. */
  readonly write: (decisions: Decisions) => Exported;
}

/** Integers k of the representable values k·scale, as many as the bits give. */
export interface LevelRange {
  /** At most 0. */
  readonly low: number;
  /** `low` + 2^bits − 1. */
  readonly high: number;
}

/**
 * The whole grid of an activation, relative to zero. `quantizedMin` and `quantizedMax` are narrower
 * where fused activation functions clamp; tools that read these files keep those functions in the
 * graph, so that the grid before the clamp is what they need.
 */
export function levelRange(
  { bits, signed, constraint, zeroPoint, quantizedMin, quantizedMax }: ExportedActivation,
): LevelRange {
  const levels = 2 ** bits;
  const narrow = quantizedMax - quantizedMin + 1 < levels;
  const symmetric = signed ? -levels / 2 : 0;
  const low = narrow && constraint !== "uniform" ? symmetric : quantizedMin - zeroPoint;
  return { low, high: low + levels - 1 };
}

/** Whether the grid is that of a signed integer with zero point 0. */
export function isSymmetric({ low, high }: LevelRange): boolean {
  return low + high === -1;
}

/**
 * What becomes of a grid that a runtime of int8 codes with zero point 0 can't have; undefined for one that it can.
 *
 * @param runtime How the note calls it.
 */
export function int8Note(activation: ExportedActivation, runtime: string): string | undefined {
  const levels = levelRange(activation);
  if (activation.bits !== 8) return `${activation.bits} bits become 8, over the same range`;
  if (levels.low === 0) {
    return `unsigned: ${runtime} has signed codes only, so the same range gets half as many levels`;
  }
  return isSymmetric(levels)
    ? undefined
    : "the zero point is lost: a symmetric range that holds both ends takes its place";
}

/** Bits of a type that holds codes. */
export function storageBits(storage: ActivationStorage | WeightStorage): number {
  return Number(/\d+$/.exec(storage)![0]);
}

/** Step of a weight channel. */
export interface ChannelStep {
  readonly scale: number;
  /** As stored. */
  readonly zeroPoint: number;
  /** Integer of the smallest code, relative to zero; −2^(bits − 1) for a symmetric grid. */
  readonly low: number;
}

/** Steps of a weight tensor; undefined without steps, and for blocks, which no format here has. */
export function channelSteps(weight: ExportedWeight): ChannelStep[] | undefined {
  const { steps, bits, storage, granularity } = weight;
  if (granularity === "block") return undefined;
  const [least, most] = STORED_CODES[storage];
  const first = (least + most + 1) / 2 - 2 ** (bits - 1);
  return steps?.scales.map((scale, i) => {
    const zeroPoint = steps.zeroPoints?.[i] ?? 0;
    return { scale, zeroPoint, low: first - zeroPoint };
  });
}

/** Collects notes, one a cause however many tensors it concerns. */
export class Notes {
  readonly #causes = new Map<string, string[]>();
  readonly #general: string[] = [];

  /** Notes that `text` holds for `tensor`. */
  add(tensor: string, text: string): void {
    const list = this.#causes.get(text);
    if (list === undefined) this.#causes.set(text, [tensor]);
    else list.push(tensor);
  }

  /** Notes something about the whole file. */
  say(text: string): void {
    this.#general.push(text);
  }

  /** Notes the weights whose steps the manifest doesn't have. */
  addStepless(weights: readonly ExportedWeight[]): void {
    for (const { tensor, steps, granularity } of weights) {
      if (granularity === "block") {
        this.add(tensor, "steps for blocks of weights, which the format can't hold, are left out");
      } else if (steps === undefined) {
        this.add(tensor, "the manifest has no weight steps; name the model, and they are searched");
      }
    }
  }

  /** One sentence a cause, naming the first tensors. */
  list(): string[] {
    const named = Array.from(this.#causes, ([text, tensors]) => {
      const shown = tensors.slice(0, SHOWN).map((name) => JSON.stringify(name)).join(", ");
      const more = tensors.length > SHOWN ? ` and ${tensors.length - SHOWN} more` : "";
      return `${shown}${more}: ${text}`;
    });
    return [...this.#general, ...named];
  }
}

/** Tensors that a note names. */
const SHOWN = 3;
