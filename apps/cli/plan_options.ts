/**
 * `--plan` and the limits that belong to it.
 *
 * @module
 */
import { type Command, InvalidArgumentError, Option } from "commander";
import type { Host } from "../../core/host.ts";
import { parseCosts } from "../../pipeline/plan/costs_file.ts";
import type { FrontWish, PlanWish } from "../../pipeline/plan/plan.ts";
import { parseSensitivity } from "../../pipeline/plan/sensitivity_file.ts";
import { MEASURES } from "../../pipeline/passes/output_measure.ts";
import { MAX_VARIANTS } from "../../pipeline/compare/variants.ts";
import { readJson } from "./files.ts";

/** Options of {@linkcode addPlanOptions}. */
export interface PlanOptions {
  plan?: boolean;
  maxLoss?: NonNullable<PlanWish["maxLoss"]>;
  maxLatency?: number;
  maxSize?: number;
  bitsBudget?: number;
  costs?: string;
  sensitivity?: string;
  planSeconds?: number;
  planError?: PlanWish["measure"];
}

/** Adds `--plan` with its limits, and how it measures. */
export function addPlanOptions(command: Command): Command {
  command.option(
    "--plan",
    "measure what each layer costs in loss and time, and choose bits or float for each; without a limit the fastest model that loses no more; writes plan.json and sensitivity.json, too",
  );
  return addMeasureOptions(addLimitOptions(command));
}

/** Options of {@linkcode addFrontOptions}. */
export interface FrontOptions
  extends Pick<PlanOptions, "plan" | "costs" | "sensitivity" | "planSeconds" | "planError"> {
  planPoints?: number;
}

/** With the one on integers, as many as may be compared. */
const MOST_POINTS = MAX_VARIANTS - 1;
/** Models of a front where nobody says how many. */
const FRONT_POINTS = 5;

/** Adds `--plan` for a whole front, and how it measures. */
export function addFrontOptions(command: Command): Command {
  command.option(
    "--plan",
    "instead of variants, models along the front of loss against time, or size where no times are known: measures what each layer costs once and plans bits or float for each",
  ).option(
    "--plan-points <n>",
    `most planned models, beside the one with everything on integers (default: ${FRONT_POINTS})`,
    points,
  );
  return addMeasureOptions(addKnownOptions(command));
}

/** What is asked of a front; undefined where nobody wants one. An option of it is a wish for it. */
export async function frontWish(
  host: Host,
  options: FrontOptions,
): Promise<{ plan: PlanWish; front: FrontWish } | undefined> {
  const { planPoints } = options;
  const isWished = options.plan || planPoints !== undefined;
  const plan = await planWish(host, { ...options, ...(isWished && { plan: true }) });
  return plan && { plan, front: { points: planPoints ?? FRONT_POINTS } };
}

/** How a plan measures. */
function addMeasureOptions(command: Command): Command {
  return command
    .option(
      "--plan-seconds <n>",
      "most seconds for measuring what quantizers cost; the rest is estimated",
      positive,
    )
    .addOption(
      new Option("--plan-error <measure>", "what a plan takes for a loss").choices(MEASURES),
    );
}

/** Adds the limits of a plan, and what was measured before. */
export function addLimitOptions(command: Command): Command {
  command
    .option(
      "--max-loss <loss>",
      "most that a plan loses: 0.5dB below everything on integers, or 0.1% of the power of the outputs",
      loss,
    )
    .option("--max-latency <part>", "most time of a run, as part of the float model's", positive)
    .option("--max-size <bytes>", "most bytes of the model: 1200000, 1.2MB, 800kB", bytes)
    .option(
      "--bits-budget <bits>",
      "most bits of a weight on average, where the target has several",
      positive,
    );
  return addKnownOptions(command);
}

/** What was measured before. */
function addKnownOptions(command: Command): Command {
  return command
    .option(
      "--costs <file>",
      "what kernels take, as `profile` writes it (default: measured here, where units may be float)",
    )
    .option("--sensitivity <file>", "what was measured by an earlier plan, where it still holds");
}

/** What is asked of a plan; undefined where nobody wants one. A limit is a wish for a plan. */
export async function planWish(host: Host, options: PlanOptions): Promise<PlanWish | undefined> {
  const { plan, maxLoss, maxLatency, maxSize, bitsBudget, costs, sensitivity } = options;
  const { planSeconds: seconds, planError: measure } = options;
  const given = { maxLoss, maxLatency, maxSize, bitsBudget, seconds, measure };
  const wished = Object.entries(given).filter(([, value]) => value !== undefined);
  const files = [costs, sensitivity].some((file) => file !== undefined);
  if (!plan && wished.length === 0 && !files) return undefined;
  return {
    ...Object.fromEntries(wished),
    ...(costs === undefined ? {} : { costs: parseCosts(await readJson(host, costs), costs) }),
    ...(sensitivity === undefined
      ? {}
      : { sensitivity: parseSensitivity(await readJson(host, sensitivity), sensitivity) }),
  };
}

function loss(text: string): NonNullable<PlanWish["maxLoss"]> {
  const [, number, unit] = /^([\d.]+(?:e-?\d+)?)\s*(dB|%)$/i.exec(text.trim()) ?? [];
  const value = Number(number);
  if (unit === undefined || !Number.isFinite(value) || unit === "%" && !(value > 0)) {
    throw new InvalidArgumentError("Give decibels or percent, as 0.5dB or 0.1%.");
  }
  return unit === "%" ? { part: value / 100 } : { decibels: value };
}

function positive(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value) || value <= 0) {
    throw new InvalidArgumentError("Give a number above 0.");
  }
  return value;
}

function points(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 2 || value > MOST_POINTS) {
    throw new InvalidArgumentError(`Give 2 to ${MOST_POINTS}.`);
  }
  return value;
}

/** Bytes of units of 1000. */
const UNITS: Readonly<Record<string, number>> = { "": 1, b: 1, kb: 1e3, mb: 1e6, gb: 1e9 };

function bytes(text: string): number {
  const [, number, unit] = /^([\d.]+)\s*([kmg]?b?)$/i.exec(text.trim()) ?? [];
  const factor = unit === undefined ? undefined : UNITS[unit.toLowerCase()];
  const value = Number(number) * (factor ?? NaN);
  if (!Number.isFinite(value) || value < 1) {
    throw new InvalidArgumentError("Give bytes, as 1200000, 1.2MB or 800kB.");
  }
  return value;
}
