/**
 * What a command downloads. `deno task` installs whatever deno.json's `imports` and its lock file name before it runs
 * anything, so that neither may be there: packages are in import_map.json, and each command names deno.lock.
 */
import assert from "node:assert/strict";
import { inFolder } from "../../support/cli.ts";

/** The packages that commands import; what those depend on comes with them. */
const IMPORTED = [
  ...["@bufbuild/protobuf", "@zip.js/zip.js", "commander", "hyparquet", "hyparquet-compressors"],
  ...["modern-tar", "multipasta", "onnxruntime-web", "safe-stable-stringify", "zod"],
];
/** What all of them take in Deno's cache; onnxruntime-web, which has every build in one package, 145 MB of it. */
const MAX_MEGABYTES = 210;

const LOCK = JSON.parse(await Deno.readTextFile("deno.lock"));

/** Names of packages and of all that they depend on, as deno.lock has them. */
function withDependencies(names: readonly string[]): Set<string> {
  const all = new Set<string>();
  const open = [...names];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (all.has(name)) continue;
    all.add(name);
    const found = Object.entries<{ dependencies?: string[] }>(LOCK.npm).filter(([key]) =>
      nameOf(key) === name
    );
    assert.notEqual(found.length, 0, `${name} is not in deno.lock`);
    for (const [, { dependencies = [] }] of found) open.push(...dependencies.map(nameOf));
  }
  return all;
}

/** A package's name without its version. */
function nameOf(specifier: string): string {
  return /^@?[^@]+/.exec(specifier)![0];
}

/** Names of the packages in a cache: folders that have a folder of a version. */
async function downloaded(folder: string, scope = ""): Promise<string[]> {
  const names: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (!isDirectory) continue;
    if (name.startsWith("@")) names.push(...await downloaded(`${folder}/${name}`, `${name}/`));
    else {
      const versions = Array.from(Deno.readDirSync(`${folder}/${name}`));
      if (versions.some((each) => each.isDirectory)) names.push(scope + name);
    }
  }
  return names;
}

async function megabytes(folder: string): Promise<number> {
  let bytes = 0;
  for await (const { name, isDirectory, isFile } of Deno.readDir(folder)) {
    if (isDirectory) bytes += await megabytes(`${folder}/${name}`) * 1e6;
    else if (isFile) bytes += (await Deno.stat(`${folder}/${name}`)).size;
  }
  return bytes / 1e6;
}

/** A module, as `deno info` tells it; what is imported for its types alone has no `code`. */
interface Module {
  dependencies?: { code?: { specifier?: string } }[];
}

/** Why a download failed that no fault of this repository is behind. */
const NO_NETWORK = /error sending request|dns error|failed to lookup|tcp connect|timed out/i;

Deno.test("commands import the packages that they run, and no others", async () => {
  const found = new Set<string>();
  for (
    const entry of [
      "launch.ts",
      "main.ts",
      "apps/hosts/deno_command.ts",
      "apps/hosts/deno_shard.ts",
    ]
  ) {
    const { success, stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["info", "--lock=deno.lock", "--json", entry],
    }).output();
    assert.ok(success);
    const { modules } = JSON.parse(new TextDecoder().decode(stdout));
    const dependencies = (modules as Module[]).flatMap(({ dependencies = [] }) => dependencies);
    for (const { code } of dependencies) {
      const [, name] = /^npm:\/?(@?[^@]+)@/.exec(code?.specifier ?? "") ?? [];
      if (name !== undefined) found.add(name);
    }
  }
  assert.deepEqual([...found].sort(), [...IMPORTED].sort());
});

Deno.test("a first run downloads these packages, and warns of nothing", async () => {
  await inFolder(async (folder) => {
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["task", "calibrate", "--samples", "8", "--out", `${folder}/s.plim`],
      env: { DENO_DIR: `${folder}/cache`, NO_COLOR: "1" },
      stdout: "null",
    }).output();
    const printed = new TextDecoder().decode(stderr);
    if (code !== 0 && NO_NETWORK.test(printed)) {
      // deno-lint-ignore no-console
      console.warn("npm's registry can't be reached: what a first run downloads is not tested");
      return;
    }
    assert.equal(code, 0, printed);
    assert.doesNotMatch(printed, /warning|ignored build scripts/i);
    const allowed = withDependencies(IMPORTED);
    const names = await downloaded(`${folder}/cache/npm/registry.npmjs.org`);
    assert.deepEqual(names.filter((name) => !allowed.has(name)), []);
    for (const name of IMPORTED) assert.ok(names.includes(name), `${name} is nowhere`);
    const size = await megabytes(`${folder}/cache`);
    assert.ok(size < MAX_MEGABYTES, `${size} MB`);
  });
});

Deno.test("install:native installs the version that the import map pins", async () => {
  const { tasks } = JSON.parse(await Deno.readTextFile("deno.json"));
  const { imports } = JSON.parse(await Deno.readTextFile("import_map.json"));
  assert.ok(tasks["install:native"].command.endsWith(` ${imports["onnxruntime-node"]}`));
});

Deno.test("all that the import map pins is in deno.lock, and every task that runs Deno names that", async () => {
  const { imports } = JSON.parse(await Deno.readTextFile("import_map.json"));
  for (const target of Object.values<string>(imports)) {
    const [, specifier] = /^npm:\/?(@?[^@]+@[^/]+)/.exec(target) ?? [];
    if (specifier !== undefined) {
      const remedy = `run deno cache --lock=deno.lock npm:${specifier}`;
      assert.ok(`npm:${specifier}` in LOCK.specifiers, remedy);
    }
  }
  const { tasks } = JSON.parse(await Deno.readTextFile("deno.json"));
  for (const [name, { command }] of Object.entries<{ command: string }>(tasks)) {
    for (const [part] of command.matchAll(/\bdeno (run|test|check|cache|publish) [^&]*/g)) {
      assert.match(part, /--lock=deno\.lock/, name);
    }
  }
});
