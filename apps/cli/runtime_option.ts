/**
 * `--runtime`: what runs the models.
 *
 * @module
 */
import { type Command, Option } from "commander";
import { PlimsollError } from "../../core/errors.ts";
import type { Host } from "../../core/host.ts";

/** Commands that run models. */
const COMMANDS = ["quantize", "calibrate", "evaluate", "compare", "worker"];

/** Adds the option to the commands of the program that run models. */
export function addRuntimeOption(program: Command, host: Host): void {
  const running = program.commands.filter((command) => COMMANDS.includes(command.name()));
  for (const command of running) {
    command.addOption(
      new Option(
        "--runtime <name>",
        "wasm: onnxruntime-web, the same bits on every host; native: onnxruntime-node, faster, other last bits",
      ).choices(["wasm", "native"]).default("wasm"),
    );
    command.hook("preAction", async () => {
      if (command.opts<{ runtime: string }>().runtime === "wasm") return;
      if (host.useNativeRuntime === undefined) {
        throw new PlimsollError("usage", {
          action: "reading the options",
          wanted: "a host with a native runtime for --runtime native",
          found: "one without",
          remedy: "Run it under Node: npx plimsoll, with onnxruntime-node installed beside",
        });
      }
      await host.useNativeRuntime();
    });
  }
}
