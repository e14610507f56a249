/**
 * A diagnosis as text. Pure.
 *
 * @module
 */
import { compactJson } from "../../core/canonical_json.ts";
import type {
  DiagnosedTensor,
  Diagnosis,
  Remedies,
  Remedy,
  TensorError,
} from "../diagnose/diagnosis.ts";
import { formatTable } from "./table.ts";

/** What is shown of a diagnosis. */
export interface DiagnosisReportOptions {
  /** All tensors in topological order, or the worst ones only. */
  readonly tensors: "all" | "worst";
  /** Columns of the terminal. */
  readonly width?: number;
}

/** Remedies that are listed. */
const SHOWN_REMEDIES = 8;
/** Overrides that are printed: the best for each tensor, of those that gain something. */
const SHOWN_OVERRIDES = 3;
/** Of fewer samples the part that is classified alike says nothing. */
const MIN_CLASS_SAMPLES = 100;

/** What each layer adds and what has accumulated, then remedies with the options that apply them. */
export function diagnosisReport(
  diagnosis: Diagnosis,
  { tensors: which, width }: DiagnosisReportOptions,
): string {
  const { tensors, worst, missing, samples, data, output, remedies } = diagnosis;
  const shown = which === "all"
    ? tensors
    : worst.map((name) => tensors.find(({ tensor }) => tensor === name)!);
  const rows = shown.map((entry) => [
    ...which === "all" ? [rankOf(entry, worst)] : [],
    entry.tensor,
    entry.producer?.op ?? "input",
    entry.quantizer === null ? "float" : String(entry.quantizer.bits),
    decibels(entry.local),
    decibels(entry.accumulated),
    entry.accumulated.cosine.toFixed(5),
    short(entry.accumulated.maxAbs),
  ]);
  const head = [
    ...which === "all" ? ["worst"] : [],
    ...["tensor", "made by", "bits", "local SQNR", "accumulated", "cosine", "max |error|"],
  ];
  const left = which === "all" ? [1, 2] : [0, 1];
  const result = output === null ? "" : `: output ${decibels(output)}`;
  const title = which === "all"
    ? `Layers on ${samples} ${data} samples${result}`
    : `Worst layers of ${tensors.length} on ${samples} ${data} samples${result}`;
  return `${title}\n${formatTable([head, ...rows], { left, width })}` +
    "local: what the layer adds with float inputs; accumulated: with the errors of all before it\n" +
    (missing.length === 0
      ? ""
      : `${missing.length} quantized tensors have no counterpart in the float model: ${
        missing.slice(0, SHOWN_OVERRIDES).join(", ")
      }${missing.length > SHOWN_OVERRIDES ? " …" : ""}\n`) +
    tensors.filter(({ isFault }) => isFault).map(faultReport).join("") +
    lossReport(diagnosis) +
    (remedies === null ? "" : remedyReport(remedies, samples, width));
}

/** What is wrong behind what is right. */
function faultReport({ tensor, local, accumulated }: DiagnosedTensor): string {
  return `Fault: ${tensor} has ${decibels(accumulated)} for ${decibels(local)} by itself, though ` +
    `all that it is made from is right: a kernel or an optimizer computes something else, or the ` +
    `layer magnifies small errors; leave it float with --override ` +
    `'${JSON.stringify({ match: { tensor }, quantize: false })}'\n`;
}

/** Quantizers that are named by what they cost. */
const SHOWN_LOSSES = 5;

/** What quantizers cost the outputs, each alone. */
function lossReport({ losses }: Diagnosis): string {
  if (losses === undefined || losses.length === 0) return "";
  const rows = losses.slice(0, SHOWN_LOSSES).map(({ kind, name, share }) => [
    kind === "weights" ? `weights of ${name}` : name,
    `${(100 * share).toFixed(1)} %`,
  ]);
  return `\nWhat costs the outputs most, each quantizer alone\n${
    formatTable([["quantizer", "of all losses"], ...rows])
  }`;
}

function remedyReport(
  { current, tried }: Remedies,
  samples: number,
  width: number | undefined,
): string {
  if (tried.length === 0) return "\nNothing else that the target allows could be tried\n";
  const hasClasses = samples >= MIN_CLASS_SAMPLES;
  const hasLabels = hasClasses && current.top1 !== null;
  const row = (
    name: string,
    change: string,
    gain: string,
    { sqnr, agreement, top1 }: Remedies["current"],
  ) => [
    name,
    change,
    gain,
    sqnr === null ? "∞" : `${sqnr.toFixed(1)} dB`,
    ...hasClasses ? [percent(agreement)] : [],
    ...hasLabels ? [percent(top1)] : [],
  ];
  const rows = tried.slice(0, SHOWN_REMEDIES).map((remedy) =>
    row(remedy.tensor, remedy.change, gainText(remedy), remedy)
  );
  const head = [
    ...["change for", "changed to", "gain", "output"],
    ...hasClasses ? ["agreement"] : [],
    ...hasLabels ? ["top-1"] : [],
  ];
  const more = tried.length - rows.length;
  const table = formatTable([head, row("as it is", "", "", current), ...rows], {
    left: [0, 1],
    width,
  });
  const helpful = tried.filter(({ gain }) => (gain ?? 0) >= MIN_GAIN);
  const best = helpful.filter(({ tensor }, i) =>
    helpful.findIndex((other) => other.tensor === tensor) === i
  );
  const overrides = best.slice(0, SHOWN_OVERRIDES).map((remedy) =>
    `${gainText(remedy)}: --override '${shellQuoted(compactJson(remedy.override))}'\n`
  );
  return `\n${table}${more > 0 ? `${more} more gain less; see diagnosis.json\n` : ""}` +
    (overrides.length === 0
      ? "None of these alone gains 0.1 dB\n"
      : `Best for each, alone and on these ${samples} samples, applied by\n${overrides.join("")}`);
}

/** Gains below this are no advice, in dB. */
const MIN_GAIN = 0.1;

function rankOf({ tensor }: DiagnosedTensor, worst: readonly string[]): string {
  const rank = worst.indexOf(tensor);
  return rank < 0 ? "" : String(rank + 1);
}

function decibels({ sqnr, maxAbs }: TensorError): string {
  return sqnr === null ? (maxAbs === 0 ? "∞" : "−∞") : `${sqnr.toFixed(1)} dB`;
}

function gainText({ gain }: Remedy): string {
  if (gain === null) return "–";
  const text = gain.toFixed(1);
  return `${text.startsWith("-") ? text.replace("-", "−") : `+${text}`} dB`;
}

function percent(part: number | null): string {
  return part === null ? "–" : `${(100 * part).toFixed(1)} %`;
}

function short(value: number): string {
  return String(Number(value.toPrecision(3)));
}

/** A quote inside single quotes of a shell. */
function shellQuoted(text: string): string {
  return text.replaceAll("'", `'\\''`);
}
