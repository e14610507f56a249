/**
 * How long a unit takes with codes and with floats: measured, or estimated from its work and the costs of the target.
 *
 * @module
 */
import type { PlacedUnit } from "../../tpc/placement/types.ts";
import type { Costs } from "../../tpc/targets/target.ts";
import type { UnitWork } from "./unit_work.ts";

/** Nanoseconds of a unit for one sample. */
export interface UnitTime {
  readonly float: number;
  readonly integer: number;
}

/** Nanoseconds for an element that changes between floats and codes. */
export interface BorderTimes {
  readonly quantize: number;
  readonly dequantize: number;
  /** Nanoseconds for each such change, beside its elements. */
  readonly change: number;
}

/** What a plan knows of times. */
export interface Times extends BorderTimes {
  /** Of each unit, in the order of the placement; 0 where a unit takes as long either way. */
  readonly units: readonly UnitTime[];
}

/**
 * Times by the rules of a target: of each unit `output` ns for an element that it makes and `multiplication` ns for
 * each multiplication, `weight` ns for each weight, by the first rule that holds its operator.
 */
export function estimateTimes(
  units: readonly PlacedUnit[],
  work: readonly UnitWork[],
  { operators, quantize, dequantize, change = 0 }: Costs,
): Times {
  return {
    quantize,
    dequantize,
    change,
    units: units.map(({ op }, i) => {
      const { outputs, multiplications, weights, kernel } = work[i];
      const rule = operators.find((entry) =>
        entry.operators.includes(op) && (entry.kernel === undefined || entry.kernel === kernel)
      );
      if (rule === undefined) return { float: 0, integer: 0 };
      const time = ({ output, multiplication = 0, weight = 0 }: typeof rule.float) =>
        output * outputs + multiplication * multiplications + weight * weights;
      return { float: time(rule.float), integer: time(rule.integer) };
    }),
  };
}

/** A time in sentences, with three digits. */
export function microseconds(nanoseconds: number): string {
  return `${Number((nanoseconds / 1000).toPrecision(3))} µs`;
}
