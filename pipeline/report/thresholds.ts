/**
 * Manifests as text.
 *
 * @module
 */
import type { Manifest, ManifestActivation, ManifestWeight } from "../../tpc/manifest.ts";
import { formatFields, formatTable } from "./table.ts";

/** One line for each quantized activation, then the nodes that stay float. */
export function thresholdReport(
  { activations, weights, float }: Pick<Manifest, "activations" | "weights" | "float">,
  { width }: { readonly width?: number } = {},
): string {
  const head = ["tensor", "threshold", "bits", "sign", "SQNR", "clipped", "producer"];
  const rows = activations.map((
    { tensor, threshold, bits, signed, statistics, producer, sameAs },
  ) => [
    tensor,
    String(threshold),
    String(bits),
    signed ? "±" : "+",
    statistics === undefined
      ? ""
      : statistics.sqnr === null
      ? "∞"
      : `${statistics.sqnr.toFixed(1)} dB`,
    statistics === undefined ? "" : `${(100 * statistics.clippedFraction).toPrecision(2)} %`,
    sameAs === undefined ? producer?.op ?? "input" : `${producer?.op} (as ${sameAs})`,
  ]);
  const islands = float.map(({ op, node, reason }) => `float: ${op} ${node}: ${reason}\n`).join("");
  return formatTable([head, ...rows], { left: [0, 6], width }) +
    `${activations.length} activations, ${weights.length} weight tensors, ${float.length} nodes float\n` +
    islands;
}

/** One activation of a manifest with all that was decided about it. */
export function activationFields(entry: ManifestActivation): string {
  const { tensor, producer, fused, threshold, bits, signed, constraint, method, reason } = entry;
  const { statistics } = entry;
  const sqnr = statistics === undefined
    ? []
    : [["SQNR", statistics.sqnr === null ? "∞" : `${statistics.sqnr.toFixed(2)} dB`] as const];
  return formatFields(`activation ${tensor}`, [
    ["made by", producer === null ? "input of the model" : `${producer.op} ${producer.node}`],
    ...(fused.length === 0 ? [] : [["fused", fused.join(", ")] as const]),
    ["threshold", `${threshold}, method ${method}, ${constraint}`],
    [
      "codes",
      `${entry.storage}, ${bits} bits, ${
        signed ? "signed" : "unsigned"
      }, scale ${entry.scale}, zero point ${entry.zeroPoint}, ${entry.quantizedMin} … ${entry.quantizedMax}`,
    ],
    ...sqnr,
    ...reason.map((text) => ["because", text] as const),
  ]);
}

/** How a layer computes where not with codes of a grid from data. */
const COMPUTES = {
  dynamic: "with codes that its input gets as the model runs",
  float: "in float, from the real numbers of the codes",
} as const;

/** One weight tensor of a manifest. */
export function weightFields(entry: ManifestWeight): string {
  const { tensor, op, node, bits, constraint, granularity, method, storage, steps } = entry;
  const { compute, reason } = entry;
  const scales = steps?.scales ?? [];
  const [least, most] = [Math.min(...scales), Math.max(...scales)];
  return formatFields(`weights ${tensor}`, [
    ["read by", `${op} ${node}`],
    ["codes", `${storage}, ${bits} bits, ${constraint}, per ${granularity}, method ${method}`],
    ...(compute === undefined ? [] : [["computes", COMPUTES[compute]] as const]),
    ...(steps === undefined ? [] : [
      ["steps", scales.length === 1 ? `${least}` : `${scales.length}: ${least} … ${most}`] as const,
      ["SQNR", steps.sqnr === null ? "∞" : `${steps.sqnr.toFixed(2)} dB`] as const,
    ]),
    ...reason.map((text) => ["because", text] as const),
  ]);
}
