/**
 * Models and statistics as text. Pure functions.
 *
 * @module
 */
import { elementTypes } from "../../tpc/onnx/operators.ts";
import type { GraphOutline } from "../../tpc/onnx/outline.ts";
import type { Placement } from "../../tpc/placement/types.ts";
import { divideDyadic } from "../statistics/dyadic.ts";
import { viewOf } from "../statistics/tensor_view.ts";
import type { Statistics } from "../statistics/statistics.ts";
import { formatTable } from "./table.ts";

/** Every node of the prepared model with what becomes of it. */
export function outlineReport(outline: GraphOutline, placement: Placement): string {
  const { nodes, constants } = outline;
  const types = elementTypes(outline);
  const fused = new Set(placement.activations.flatMap(({ fused }) => fused));
  const islands = new Map(placement.float.map(({ node, reason }) => [node, reason]));
  const quantized = new Map(placement.activations.map((plan) => [plan.tensor, plan]));
  const rows = nodes.map(({ name, op, inputs, outputs }) => {
    const plan = quantized.get(outputs[0]);
    const fate = fused.has(name) ? "fused into the node before" : islands.get(name) ??
      (plan?.sameAs
        ? `keeps the quantization of ${plan.sameAs}`
        : types.get(outputs[0]) === "float"
        ? "quantized"
        : "not float32");
    const weights = inputs.map((input) => constants[input]).filter((constant) =>
      constant !== undefined
    );
    return [op, name, weights.map(({ shape }) => `[${shape}]`).join(" "), fate];
  });
  return formatTable([["op", "node", "constants", "on the target"], ...rows], {
    left: [0, 1, 2, 3],
  });
}

/** Range and moments of every watched tensor. */
export function statisticsReport(
  { tensors, data }: Statistics,
): { text: string; summary: unknown } {
  const summary = tensors.map(({ tensor, shape, histogram }) => {
    const exact = viewOf(histogram).exact;
    const count = BigInt(histogram.finite);
    const isEmpty = histogram.finite === 0;
    const mean = isEmpty ? null : divideDyadic(exact.sum, count);
    const meanSquare = isEmpty ? null : divideDyadic(exact.squares, count);
    const { finite: elements, zeros, min, max, bins } = histogram;
    return {
      ...{ tensor, shape, elements, zeros, mean, meanSquare },
      min: isEmpty ? null : min,
      max: isEmpty ? null : max,
      bins: bins.length,
    };
  });
  const short = (value: number | null) => value === null ? "–" : value.toPrecision(5);
  const rows = summary.map(({ tensor, elements, min, max, mean, meanSquare, zeros, bins }) => [
    tensor,
    String(elements),
    ...[min, max, mean, meanSquare === null ? null : Math.sqrt(meanSquare)].map(short),
    elements === 0 ? "–" : `${(100 * zeros / elements).toFixed(1)} %`,
    String(bins),
  ]);
  const head = ["tensor", "elements", "min", "max", "mean", "rms", "zeros", "bins"];
  return {
    text: formatTable([head, ...rows]) + `${data.samples} samples\n`,
    summary: { data, tensors: summary },
  };
}
