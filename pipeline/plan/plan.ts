/**
 * Plans: what is asked of one, what it may spend, and what became of it. Plain JSON: `plan.json`, part of the report.
 *
 * @module
 */
import type { CostsFile } from "./costs_file.ts";
import type { Sensitivity } from "./sensitivity_file.ts";

/** What is asked of a plan. Without a limit: the fastest model that loses no more than everything on integers does. */
export interface PlanWish {
  /**
   * Most that the outputs lose: decibels below everything on integers with the usual bits, or the part of their power
   * that is lost, Σ(y′ − y)² / Σy².
   */
  readonly maxLoss?: { readonly decibels: number } | { readonly part: number };
  /** Most time of a run, as part of the float model's. */
  readonly maxLatency?: number;
  /** Most bytes of the model with its weights. */
  readonly maxSize?: number;
  /** Most bits of a weight, on average over all weights that can be quantized. */
  readonly bitsBudget?: number;
  /** What kernels take; they are measured where the target can have floats and nobody says. */
  readonly costs?: CostsFile;
  /** What was measured before. */
  readonly sensitivity?: Sensitivity;
  /** Most seconds for measuring what quantizers cost; what is left then is estimated. */
  readonly seconds?: number;
  /** What a loss is, default squared. */
  readonly measure?: Sensitivity["measure"];
}

/** A whole front instead of one plan: models of least loss, each with less time, or fewer bytes where none is known. */
export interface FrontWish {
  /** Most models, from 2, beside the one with everything on integers. */
  readonly points: number;
}

/** What a model costs. */
export interface PlanFigures {
  /** Of the outputs, in the measure of the plan; null when infinite. */
  readonly loss: number | null;
  /** Part of the float model's time; null where nobody knows. */
  readonly latency: number | null;
  /** Bytes. */
  readonly size: number;
  /** Bits of a weight on average, over all that can be quantized; absent of what was measured. */
  readonly bits?: number;
}

/** A model that was made and measured on the way. */
export interface PlanRound {
  /** Where its report lies, from that of the plan, where it has one. */
  readonly report?: string;
  /** What it is. */
  readonly name: string;
  /** What was expected of it; null of those that aren't planned. */
  readonly predicted: PlanFigures | null;
  /** What was measured. */
  readonly measured: PlanFigures;
}

/** What became of a unit. */
export interface PlannedUnit {
  /** Node that overrides name it by. */
  readonly node: string;
  /** Operator, or name of the composite. */
  readonly op: string;
  /** With codes, with floats whose weights are stored in codes, or with floats. */
  readonly choice: "integer" | "stored" | "float";
  /** Bits of its weights; null without any that are quantized. */
  readonly weightBits: number | null;
  /** What rounding its weights costs the outputs. */
  readonly loss: number | null;
  /** Nanoseconds of a run; null where nobody knows. */
  readonly time: number | null;
  /** Nanoseconds that its other kernel would take. */
  readonly otherTime: number | null;
  /** Bytes of its weights. */
  readonly size: number;
  /** Why, in a sentence. */
  readonly reason: string;
}

/** A plan with all that it follows from. */
export interface Plan {
  /** Version of this format. */
  readonly schemaVersion: 1;
  /** What was asked, in words. */
  readonly goal: string;
  /** What a loss is. */
  readonly measure: Sensitivity["measure"];
  /** Every unit that could be on integers. */
  readonly units: readonly PlannedUnit[];
  /** Tensors whose codes cost the outputs something, the most first. */
  readonly tensors: readonly {
    readonly tensor: string;
    readonly bits: number;
    readonly loss: number | null;
  }[];
  /** Models that were made, the first with everything on integers. */
  readonly rounds: readonly PlanRound[];
  /** Number of the round that is written. */
  readonly chosen: number;
  /** Whether what is written keeps all limits. */
  readonly isWithin: boolean;
  /** Samples that losses were measured on, and others that the made models were. */
  readonly samples: { readonly sensitivity: number; readonly models: number };
  /** What kernels take; null where nobody knows. */
  readonly costs: CostsFile | null;
}

/** A plan with the times of its rounds, which were measured behind it: parts of the float model's. */
export function withLatencies(plan: Plan, latencies: readonly number[]): Plan {
  const rounds = plan.rounds.map((round, i) => ({
    ...round,
    measured: { ...round.measured, latency: latencies[i] },
  }));
  return { ...plan, rounds };
}

/** A plan whose rounds have reports; see {@linkcode PlanRound}. */
export function withReports(plan: Plan, reports: readonly string[]): Plan {
  return { ...plan, rounds: plan.rounds.map((round, i) => ({ ...round, report: reports[i] })) };
}
