/**
 * Manifests as text.
 *
 * @module
 */
import type { Manifest } from "../../tpc/manifest.ts";
import { formatTable } from "./table.ts";

/** One line for each quantized activation, then the nodes that stay float. */
export function thresholdReport({ activations, weights, float }: Manifest): string {
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
  return formatTable([head, ...rows], { left: [0, 6] }) +
    `${activations.length} activations, ${weights.length} weight tensors, ${float.length} nodes float\n` +
    islands;
}
