/**
 * The npm packages that bundles are built from, in `build/npm/node_modules`: esbuild and the hosts that are tested
 * want them as files, which Deno's cache is not.
 *
 *     deno run -A build/install.ts
 *
 * A development tool; nothing that ships imports it.
 *
 * @module
 */

/** The folder of `package.json`, `package-lock.json` and `node_modules`. */
export const NPM_FOLDER = new URL("./npm/", import.meta.url);
/** Written last, with the lock file that was installed. */
const STAMP = new URL("node_modules/.plimsoll", NPM_FOLDER);

/** Installs what `package-lock.json` says, unless that was done before. No script of a package is run. */
export async function install(): Promise<void> {
  const lock = await Deno.readTextFile(new URL("package-lock.json", NPM_FOLDER));
  if (await Deno.readTextFile(STAMP).catch(() => "") === lock) return;
  await run("npm", ["ci", "--no-audit", "--no-fund", "--ignore-scripts"], {
    cwd: NPM_FOLDER,
    // Its script would download CUDA.
    env: { ONNXRUNTIME_NODE_INSTALL: "skip" },
  });
  await Deno.writeTextFile(STAMP, lock);
}

/**
 * Runs a command to its end and returns what it prints.
 *
 * @throws {Error} With its output when it fails.
 */
export async function run(
  command: string,
  args: readonly string[],
  options: Pick<Deno.CommandOptions, "cwd" | "env"> = {},
): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, {
    ...options,
    args: [...args],
  }).output();
  const [out, error] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  if (!success) throw new Error(`Cannot run ${command} ${args.join(" ")}:\n${out}${error}`);
  return out;
}

if (import.meta.main) await install();
