/**
 * What a setting of a target that gives a tensor more bits by pattern gains and costs.
 *
 * @module
 */
import type { ActivationPlan } from "../../tpc/placement/types.ts";
import type { TensorStatistics } from "../statistics/statistics.ts";
import { searchThreshold } from "./search_threshold.ts";
import { settleMethod } from "./settle_method.ts";

/**
 * What more bits than usual gain a tensor, in dB of its own SQNR, and what memory they take, for the manifest; empty where it
 * has no more than usual.
 *
 * @param sqnr Of the grid that was chosen, in dB; null where it loses nothing.
 */
export function priceOfBits(
  { spec: { bits }, usual }: ActivationPlan,
  statistics: TensorStatistics,
  sqnr: number | null,
): string[] {
  const { shape, histogram } = statistics;
  if (usual === undefined || usual.bits >= bits || histogram.finite === 0) return [];
  const { spec } = settleMethod(usual, statistics);
  const before = decibels(searchThreshold(histogram, spec).sqnr);
  const bytesMore = Math.ceil(bits / 8) - Math.ceil(usual.bits / 8);
  const elements = shape.every((length) => length !== null)
    ? shape.reduce((product: number, length) => product * length!, 1)
    : undefined;
  const memory = elements === undefined
    ? `${countOf(bytesMore)} more an element`
    : `${countOf(elements * bytesMore)} more a sample`;
  return [`${bits} bits for ${usual.bits}: ${decibels(sqnr)} for ${before}, ${memory}`];
}

function countOf(bytes: number): string {
  return bytes === 1 ? "1 byte" : `${bytes} bytes`;
}

function decibels(sqnr: number | null): string {
  return sqnr === null ? "no error" : `${sqnr.toFixed(1)} dB`;
}
