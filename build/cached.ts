/**
 * Builds things once: a build is current while no file that it is made of has changed.
 *
 * A development tool; nothing that ships imports it.
 *
 * @module
 */
import { createHash } from "node:crypto";

const ROOT = new URL("../", import.meta.url);
const SOURCES = ["core", "wasm", "onnx", "tpc", "pipeline", "apps", "build", "docs", "data"];
const FILES = ["deno.json", "import_map.json", "LICENSE", "CHANGELOG.md"];

/**
 * Runs a build unless `stamp` says that it was made of the present sources.
 *
 * @param stamp File in the folder that the build makes; written when the build is whole.
 */
export async function buildOnce(stamp: URL, build: () => Promise<unknown>): Promise<void> {
  const hash = await hashSources();
  if (await Deno.readTextFile(stamp).catch(() => "") === hash) return;
  await Deno.remove(stamp).catch(() => {});
  await build();
  await Deno.writeTextFile(stamp, hash);
}

async function hashSources(): Promise<string> {
  const paths = [...FILES];
  for (const folder of SOURCES) await addPaths(folder, paths);
  const hash = createHash("sha256");
  for (const path of paths.sort()) {
    hash.update(`${path}\0`).update(await Deno.readFile(new URL(path, ROOT)));
  }
  return hash.digest("hex");
}

async function addPaths(folder: string, paths: string[]): Promise<void> {
  for await (const { name, isDirectory, isFile } of Deno.readDir(new URL(folder, ROOT))) {
    const isOurs = !["node_modules", "target"].includes(name);
    if (isDirectory && isOurs) await addPaths(`${folder}/${name}`, paths);
    else if (isFile) paths.push(`${folder}/${name}`);
  }
}
