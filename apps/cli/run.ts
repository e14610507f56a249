/**
 * The command line: arguments in, exit code out.
 *
 * @module
 */
import { Command, CommanderError } from "commander";
import { PlimsollError } from "../../core/errors.ts";
import type { Host } from "../../core/host.ts";
import { commandLineWording } from "../../core/option_words.ts";
import { VERSION } from "../../core/version.ts";
import { visibleLine } from "../../core/visible.ts";
import { withS3 } from "../queue/s3.ts";
import { addCalibrateCommand } from "./calibrate.ts";
import { addCompareCommand } from "./compare.ts";
import { type Context, EXIT_LOST } from "./context.ts";
import { addEmitCommand } from "./emit.ts";
import { addEvaluateCommand } from "./evaluate.ts";
import { addExportCommand } from "./export.ts";
import { addInspectCommand } from "./inspect.ts";
import { addMergeCommand } from "./merge.ts";
import { addPlanCommand } from "./plan.ts";
import { addProfileCommand } from "./profile.ts";
import { addQuantizeCommand } from "./quantize.ts";
import { addQueueCommand } from "./queue.ts";
import { addReportCommand } from "./report.ts";
import { addSearchCommand } from "./search.ts";
import { Screen } from "./screen.ts";
import { addRuntimeOption } from "./runtime_option.ts";
import { addServeCommand } from "./serve.ts";
import { INTERRUPTED } from "./supervised.ts";
import { addTargetsCommand } from "./targets.ts";
import { addWorkerCommand } from "./worker.ts";

/** Exit codes; the same for every command. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  lost: EXIT_LOST,
  interrupted: INTERRUPTED,
} as const;

/**
 * Runs one command. Results go to standard output, all else to standard error.
 *
 * @param signal Aborts when the user interrupts.
 * @returns The exit code; never throws.
 */
export async function runCli(
  args: readonly string[],
  host: Host,
  signal: AbortSignal,
): Promise<number> {
  const screen = new Screen(withS3(host));
  const context: Context = { host: screen.host, screen, signal, args };
  try {
    await makeProgram(context).parseAsync([...args], { from: "user" });
    return context.exitCode ?? EXIT.done;
  } catch (error) {
    if (signal.aborted) {
      const { kept, saved, run } = context;
      screen.endBar();
      context.host.printError(
        saved !== undefined
          ? `\nInterrupted: the calibration is whole, in ${saved}; \`search\` and \`emit\` go on from there\n`
          : run !== undefined
          ? `\nInterrupted: run ${run} is out of the queue; what its shards have given is kept, and --resume goes on\n`
          : kept === undefined
          ? "\nInterrupted: nothing was written\n"
          : `\nInterrupted: go on with --resume --checkpoint ${kept}\n`,
      );
      return EXIT.interrupted;
    }
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
    if (error instanceof PlimsollError) {
      screen.failure(visibleLine(error.messageIn(commandLineWording)));
      return error.kind === "usage" ? EXIT.usage : EXIT.failed;
    }
    const trace = error instanceof Error ? error.stack : String(error);
    screen.failure(`this is a defect of plimsoll, please report it\n${trace}`);
    return EXIT.failed;
  }
}

function makeProgram(context: Context): Command {
  const { host, screen } = context;
  const program = new Command("plimsoll")
    .description(
      "Post-training quantization of ONNX models: exact thresholds from streamed calibration data",
    )
    .version(VERSION)
    .exitOverride()
    .hook("preAction", (_, command) => screen.configure(command.opts()))
    .showHelpAfterError("(--help shows the options)")
    .configureOutput({
      // Help names the tasks of Deno, which other hosts call otherwise.
      writeOut: (text) => host.print(text.replaceAll("deno task", host.command ?? "deno task")),
      writeErr: host.printError,
    })
    .addHelpText(
      "after",
      `
Examples:
  deno task quantize            the demo, from calibration to accuracy, into out/
  deno task compare             the demo, MSE beside no clipping, and whether it matters
  deno task inspect             what the demo model is made of
  deno task quantize --help     options of a command
`,
    );
  // Sub-commands copy the settings above when they are made.
  addQuantizeCommand(program, context);
  addCalibrateCommand(program, context);
  addMergeCommand(program, context);
  addReportCommand(program, context);
  addSearchCommand(program, context);
  addPlanCommand(program, context);
  addProfileCommand(program, context);
  addEmitCommand(program, context);
  addEvaluateCommand(program, context);
  addCompareCommand(program, context);
  addInspectCommand(program, context);
  addExportCommand(program, context);
  addTargetsCommand(program, context);
  addServeCommand(program, context);
  addWorkerCommand(program, context);
  addQueueCommand(program, context);
  addRuntimeOption(program, host);
  return program;
}
