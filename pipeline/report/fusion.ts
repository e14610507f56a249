/**
 * Which kernels ran, as text. Pure.
 *
 * @module
 */
import type { Fusion } from "../../tpc/emission/fusion.ts";
import { formatTable } from "./table.ts";

/** Every node with its kernel, and why it isn't an integer one. */
export function fusionReport({ nodes, linear, between }: Fusion): string {
  const rows = nodes.map(({ op, node, kernel, arithmetic, reason }) => [
    op,
    node,
    kernel ?? "–",
    arithmetic ?? "–",
    kernel === null ? "part of another node, or computed in advance" : reason ?? "",
  ]);
  const head = ["op", "node", "kernel", "runs as", "why"];
  const table = formatTable([head, ...rows], { left: [0, 1, 2, 3, 4] });
  const others = Object.entries(between).sort(([a], [b]) => a < b ? -1 : 1)
    .map(([kernel, count]) => `${count} ${kernel}`);
  return `${table}\n${linear.integer} of ${linear.total} convolutions and matrix products ` +
    "(Conv, Gemm, MatMul …) run as integer kernels\n" +
    (others.length === 0 ? "" : `Between the nodes ran ${others.join(", ")}\n`);
}
