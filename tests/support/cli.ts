/** The command line in this process. */
import { runCli } from "../../apps/cli/run.ts";
import { denoHost } from "../../apps/hosts/deno.ts";

/** Arguments of Deno that run a command in a process of its own, with files, the environment and nothing else allowed. */
export const RUN_WITH_FILES = [
  ...["run", "--lock=deno.lock", "--no-prompt", "--allow-read", "--allow-write", "--allow-env"],
  "main.ts",
];

/** What a user sees. */
export interface CliRun {
  code: number;
  out: string;
  error: string;
}

/** Runs one command in onnxruntime-web unless it says otherwise, and catches what it prints. */
export async function runCommand(...args: string[]): Promise<CliRun> {
  let [out, error] = ["", ""];
  const host = {
    ...denoHost,
    hasNativeRuntime: undefined,
    isTerminal: false,
    print: (text: string) => void (out += text),
    printError: (text: string) => void (error += text),
  };
  const code = await runCli(args, host, new AbortController().signal);
  return { code, out, error };
}

/** Runs a test in a folder that goes afterwards. */
export async function inFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "plimsoll " });
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
