/**
 * `--runtime`: what runs the models.
 *
 * @module
 */
import { type Command, Option } from "commander";
import { PlimsollError } from "../../core/errors.ts";
import type { Host } from "../../core/host.ts";
import { RUNTIME_COMMANDS } from "./permissions.ts";

/** As much of the options of these commands as decides. */
interface Chosen {
  readonly runtime: "auto" | "native" | "wasm";
  readonly target?: string | readonly string[];
  readonly plan?: boolean;
  readonly costs?: string;
  readonly queue?: string;
}

/** Adds the option to the commands of the program that run models. */
export function addRuntimeOption(program: Command, host: Host): void {
  const running = program.commands.filter((command) => RUNTIME_COMMANDS.includes(command.name()));
  for (const command of running) {
    command.addOption(
      new Option(
        "--runtime <name>",
        "wasm: onnxruntime-web, the same bits on every host; native: onnxruntime-node, several times as fast, other last bits; auto: native where it is installed",
      ).choices(["auto", "native", "wasm"]).default("auto"),
    );
    command.hook("preAction", async () => {
      const options = command.opts<Chosen>();
      if (options.runtime === "native") await useNative(host);
      if (options.runtime !== "auto" || wantsWeb(command.name(), options)) return;
      if (!await host.hasNativeRuntime?.()) return;
      await host.useNativeRuntime?.().catch((error) => {
        if (!(error instanceof PlimsollError)) throw error;
        host.printError(`note: models run in onnxruntime-web: ${error.message}\n`);
      });
    });
  }
}

/** What only onnxruntime-web can do, or does better. */
function wantsWeb(command: string, { target = [], plan, costs, queue }: Chosen): boolean {
  return (
    // Kernels' times are read from its profiler.
    plan === true && costs === undefined ||
    // Machines of all kinds share the work, to the same bytes.
    command === "worker" || queue !== undefined ||
    // The verdict is on the runtime that the model is made for.
    [target].flat().includes("onnxruntime-web")
  );
}

async function useNative(host: Host): Promise<void> {
  if (host.useNativeRuntime !== undefined) return await host.useNativeRuntime();
  throw new PlimsollError("usage", {
    action: "reading the options",
    wanted: "a host with a native runtime for --runtime native",
    found: "one without",
    remedy: "Leave --runtime out",
  });
}
