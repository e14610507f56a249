/**
 * Copies folders.
 *
 * @module
 */

/** Copies what is wanted of a folder, and of the folders in it. */
export async function copyFolder(
  from: URL,
  to: URL,
  isWanted: (name: string) => boolean,
): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    if (isDirectory) await copyFolder(new URL(`${name}/`, from), new URL(`${name}/`, to), isWanted);
    else if (isWanted(name)) await Deno.copyFile(new URL(name, from), new URL(name, to));
  }
}
