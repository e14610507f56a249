/**
 * `--diagnose` and what belongs to it.
 *
 * @module
 */
import { type Command, InvalidArgumentError } from "commander";
import { PlimsollError } from "../../core/errors.ts";
import { positiveInteger } from "./option_values.ts";

/** Options of {@linkcode addDiagnoseOptions}. */
export interface DiagnoseCommandOptions {
  diagnose?: boolean;
  diagnoseSamples?: number;
  diagnoseRemedies?: number;
}

/** Samples that are compared when nobody says how many. */
export const DEFAULT_DIAGNOSE_SAMPLES = 16;
/** Layers for which remedies are tried when nobody says how many. */
export const DEFAULT_DIAGNOSE_REMEDIES = 3;

/** Adds `--diagnose` and `--diagnose-samples`. */
export function addDiagnoseOptions(command: Command): Command {
  return command
    .option(
      "--diagnose",
      "compare every quantized tensor with the float one: what its layer adds, and what has accumulated",
    )
    .option(
      "--diagnose-samples <n>",
      `samples for --diagnose (default: ${DEFAULT_DIAGNOSE_SAMPLES})`,
      positiveInteger,
    );
}

/** Adds `--diagnose-remedies`, for commands that have statistics to decide again from. */
export function addRemedyOptions(command: Command): Command {
  return command.option(
    "--diagnose-remedies <k>",
    `try what would help the k worst layers of --diagnose: other methods, more bits, float (default: ${DEFAULT_DIAGNOSE_REMEDIES})`,
    (text: string) => {
      if (text.trim() === "0") return 0;
      const value = Number(text);
      if (!Number.isInteger(value) || value < 1) {
        throw new InvalidArgumentError("Give an integer of at least 0.");
      }
      return value;
    },
  );
}

/**
 * Refuses options about a diagnosis where none is asked for.
 *
 * @throws {PlimsollError} kind `usage`.
 */
export function checkDiagnose(options: DiagnoseCommandOptions): void {
  const { diagnose, diagnoseSamples, diagnoseRemedies } = options;
  if (diagnose || diagnoseSamples === undefined && diagnoseRemedies === undefined) return;
  const option = diagnoseSamples === undefined ? "--diagnose-remedies" : "--diagnose-samples";
  throw new PlimsollError("usage", {
    action: "reading the options",
    wanted: `--diagnose with ${option}`,
    found: `${option} alone`,
    remedy: "Add --diagnose, or leave it out",
  });
}
