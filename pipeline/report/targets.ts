/**
 * Targets as text: a list of them, and one in full. Pure functions.
 *
 * @module
 */
import { describeOverride } from "../../tpc/placement/overrides.ts";
import type { OperatorSet, Override, Target } from "../../tpc/targets/target.ts";
import { formatTable } from "./table.ts";

/** Columns that text is broken at. */
const WIDTH = 100;

const ACTIVATION_GRIDS: Readonly<Record<Target["activation"]["constraint"], string>> = {
  pot: "thresholds powers of two",
  symmetric: "any threshold",
  uniform: "any range",
};
const WEIGHT_GRIDS: Readonly<Record<Target["weight"]["constraint"], string>> = {
  pot: "thresholds powers of two",
  symmetric: "symmetric",
  uniform: "any range",
};
const SIGNS: Readonly<Record<Target["activation"]["signed"], string>> = {
  auto: "signed where values are below zero",
  yes: "always signed",
  no: "never signed",
};
const SHARED: Readonly<Record<Target["weight"]["granularity"], string>> = {
  channel: "one step per output channel",
  tensor: "one step per tensor",
  block: "one step per block of inputs",
};

/** What a list says of one target; the JSON form of {@linkcode targetList}. */
export function targetSummary({ name, description, activation, weight, storage }: Target) {
  return { name, description, activation, weight, storage };
}

/**
 * Names, quantizers and descriptions of targets.
 *
 * @example
 * ```ts
 * import { targetList } from "./targets.ts";
 * import { presetTarget } from "../../tpc/targets/read_target.ts";
 * import assert from "node:assert/strict";
 *
 * assert.match(targetList([presetTarget("default")!]), /default +8 bits, thresholds powers of two/);
 * ```
 */
export function targetList(targets: readonly Target[]): string {
  const rows = targets.map(({ name, activation, weight, storage }) => [
    name,
    `${activation.bits} bits, ${ACTIVATION_GRIDS[activation.constraint]}`,
    `${weight.bits} bits, ${WEIGHT_GRIDS[weight.constraint]}, ${SHARED[weight.granularity]}`,
    `${storage.activation}, ${storage.weight}`,
  ]);
  const table = formatTable([["target", "activations", "weights", "stored as"], ...rows], {
    left: [0, 1, 2, 3],
  });
  const descriptions = targets.map(({ name, description }) => `${name}\n${wrap(description, 4)}`);
  return `${table}\n${descriptions.join("")}`;
}

/** Everything that a target says. */
export function targetReport(target: Target): string {
  const { name, description, storage, operatorSets, fusing, composites = [] } = target;
  const rows = [
    ["activations", `${describeActivation(target.activation)}; stored as ${storage.activation}`],
    ["weights", `${describeWeight(target.weight)}; stored as ${storage.weight}`],
    ["biases", `stored as ${storage.bias}, with the scale of input times weights`],
    ["allowed", describeAllowed(target.allowed)],
  ];
  return [
    `${name}\n${wrap(description, 2)}`,
    rows.map(([key, text]) => `${key.padEnd(13)}${wrap(text, 13).trimStart()}`).join(""),
    section(
      "Operators: the first set that holds a node counts; those of no set stay float",
      operatorSets.map((set) =>
        `  ${set.name}: ${describeSet(set)}\n` + wrap(set.operators.join(", "), 6) +
        Object.entries(set.where ?? {}).map(([key, values]) =>
          wrap(`only where ${key} is ${values.join(" or ")}`, 6)
        ).join("")
      ),
    ),
    section(
      "Fused into one operator, without a quantizer inside; the longest pattern counts",
      fusing.map(({ name, pattern }) =>
        `  ${name}\n${wrap(pattern.map((operators) => operators.join(" | ")).join(" → "), 6)}`
      ),
    ),
    section(
      "Composites of this target",
      composites.map(({ name, forms }) =>
        `  ${name}\n${forms.map((x) => `      ${x}\n`).join("")}`
      ),
    ),
    section(
      "Overrides: the last that fits counts",
      (target.overrides ?? []).map((override) => wrap(overrideLine(override), 2)),
    ),
  ].filter((part) => part !== "").join("\n");
}

function section(title: string, entries: readonly string[]): string {
  return entries.length === 0 ? "" : `${title}\n${entries.join("")}`;
}

function describeActivation(activation: Partial<Target["activation"]>): string {
  const { bits, constraint, signed, error, lpP, percentile, zThreshold } = activation;
  return [
    bits === undefined ? "" : `${bits} bits`,
    constraint === undefined ? "" : ACTIVATION_GRIDS[constraint],
    signed === undefined ? "" : SIGNS[signed],
    error === undefined ? "" : `error method ${error}`,
    lpP === undefined ? "" : `exponent ${lpP}`,
    percentile === undefined ? "" : `${percentile} % of the elements`,
    zThreshold === undefined ? "" : `without elements beyond ${zThreshold} standard deviations`,
  ].filter((part) => part !== "").join(", ");
}

function describeWeight(weight: Partial<Target["weight"]>): string {
  const { bits, constraint, granularity, error, lpP, clip } = weight;
  return [
    bits === undefined ? "" : `${bits} bits`,
    constraint === undefined ? "" : WEIGHT_GRIDS[constraint],
    granularity === undefined ? "" : SHARED[granularity],
    error === undefined ? "" : `error method ${error}`,
    lpP === undefined ? "" : `exponent ${lpP}`,
    clip === undefined ? "" : clip ? "may clip" : "never clipped",
  ].filter((part) => part !== "").join(", ");
}

function describeAllowed(allowed: Target["allowed"]): string {
  const parts = Object.entries(allowed ?? {}).flatMap(([kind, lists]) =>
    Object.entries(lists ?? {}).map(([key, values]) => `${kind} ${key} ${values.join(", ")}`)
  );
  return parts.length === 0 ? "any values of options and overrides" : parts.join("; ");
}

/** What becomes of weights that no integer kernel with a grid takes. */
const RECURRENT = {
  dynamic: "; weights of an LSTM in int8, its input quantized as the model runs",
  stored: "; constant weights stored in int8",
} as const;

function describeSet(set: OperatorSet) {
  const { use, reason, output, weight, inputs, constants, floatOutput, recurrent } = set;
  if (use === "float") {
    const how = recurrent === undefined ? "" : RECURRENT[recurrent];
    return `float${reason === undefined ? "" : `, since ${reason}`}${how}`;
  }
  const { fixedRange, fixedGrid, ...own } = output ?? {};
  return [
    use === "preserving" ? "keeps the quantization of its input" : "quantized",
    fixedRange ? "range by definition" : "",
    fixedGrid ? `fixed scale ${fixedGrid.scale}, zero point ${fixedGrid.zeroPoint}` : "",
    Object.keys(own).length > 0 ? `output ${describeActivation(own)}` : "",
    weight ? `weights ${describeWeight(weight)}` : "",
    inputs === "same" ? "one grid for inputs and output" : "",
    constants === "quantized" ? "constant operands, too" : "",
    floatOutput ? "output float where no quantized operator reads it" : "",
  ].filter((part) => part !== "").join("; ");
}

function overrideLine(override: Override): string {
  const { quantize, activation, weight, compute } = override;
  return `${describeOverride(override)}: ` + [
    quantize === false ? "float" : "",
    compute === "dynamic" ? "input quantized as the model runs" : "",
    activation ? `activation ${describeActivation(activation)}` : "",
    weight ? `weights ${describeWeight(weight)}` : "",
  ].filter((part) => part !== "").join("; ");
}

/** Breaks text at spaces; every line is indented and ends. */
function wrap(text: string, indent: number): string {
  const lines: string[] = [""];
  for (const word of text.split(" ")) {
    const line = lines.at(-1)!;
    if (line !== "" && indent + line.length + 1 + word.length > WIDTH) lines.push(word);
    else lines[lines.length - 1] = line === "" ? word : `${line} ${word}`;
  }
  return lines.map((line) => `${" ".repeat(indent)}${line}\n`).join("");
}
