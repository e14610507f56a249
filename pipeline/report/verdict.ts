/**
 * The verdict as text. Pure.
 *
 * @module
 */
import type { OutputFigures } from "../evaluate/output_figures.ts";
import type { Diagnosis } from "../diagnose/diagnosis.ts";
import type { Verdict } from "../verdict/verdict.ts";
import { formatTable } from "./table.ts";

/** Where samples come from, in words. */
const SAMPLES = {
  "held out": "samples that the calibration didn't see",
  calibration: "samples of the calibration",
  evaluation: "evaluation samples",
} as const;

/** Every output with its figures, then one sentence: it holds, or what it lost. */
export function verdictReport({ samples, data, outputs, lost, notes }: Verdict): string {
  const rows = outputs.map((figures) => [
    figures.output,
    figures.kind,
    figures.sqnr === null ? figures.kind === "codes" ? "–" : "∞" : `${figures.sqnr.toFixed(1)} dB`,
    figures.kind === "codes" ? "–" : figures.cosine.toFixed(4),
    own(figures),
  ]);
  const table = formatTable([["output", "kind", "SQNR", "cosine", "its own figure"], ...rows]);
  return `${table}${verdictSentence({ samples, data, lost })}\n` +
    notes.map((note) => `Note: ${note}.\n`).join("");
}

/** It holds, or what it lost. */
export function verdictSentence(
  { samples, data, lost }: Pick<Verdict, "samples" | "data" | "lost">,
): string {
  const on = `on ${samples} ${SAMPLES[data]}`;
  if (lost.length === 0) return `Verdict: it does what the float model does, ${on}.`;
  const list = lost.map(({ output, what }) => `\n  ${output}: ${what}`).join("");
  return `Verdict: this model lost what it is for, ${on}:${list}`;
}

/** The figure that users of such an output know. */
function own({ kind, flips, kl, overlap, equal, worstSlice }: OutputFigures): string {
  const percent = (part: number) => `${(100 * part).toFixed(1)} %`;
  if (equal !== null) return `${percent(equal)} equal`;
  if (flips !== null) {
    return `${percent(flips)} other class, KL ${kl === null ? "∞" : kl.toPrecision(2)}`;
  }
  if (overlap !== null) return `overlap above 0.5: ${percent(overlap)}`;
  if (kind !== "embedding" && worstSlice !== null) {
    return `worst slice ${
      worstSlice.sqnr.toFixed(1)
    } dB (axis ${worstSlice.axis}, ${worstSlice.index})`;
  }
  return "";
}

/** Whose fault it is, and what was measured to help. */
export function culpritReport({ worst, remedies, losses = [] }: Diagnosis): string {
  const best = remedies?.tried.find(({ gain }) => gain !== null && gain > 0);
  const measured = losses.slice(0, 3).map(({ kind, name, share }) =>
    `${kind === "weights" ? `weights of ${name}` : name} (${(100 * share).toFixed(0)} %)`
  );
  const named = `What loses most: ${
    (measured.length > 0 ? measured : worst.slice(0, 3)).join(", ")
  }.`;
  if (best === undefined) {
    return `${named} No single change helps; try another target, --error or more calibration samples.\n`;
  }
  return `${named} ${best.tensor} with ${best.change} gives ${best.gain!.toFixed(1)} dB:\n` +
    `  --override '${JSON.stringify(best.override)}'\n`;
}
