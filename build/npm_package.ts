/**
 * Builds the npm package:
 *
 *     dist/npm/      package.json, bundles for Node and the web, types, the demo's data
 *     dist/plimsoll.tgz
 *
 *     deno run -A build/npm_package.ts
 *
 * A development tool; nothing that ships imports it.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { bundleAll, stopBundling } from "./bundle.ts";
import { copyFolder } from "./copy_folder.ts";
import { writeTypes } from "./npm_types.ts";
import { install, NPM_FOLDER, run } from "./install.ts";

const ROOT = new URL("../", import.meta.url);
const DIST = new URL("dist/", ROOT);
/** The package's folder. */
export const PACKAGE_FOLDER = new URL("npm/", DIST);

/** The packed package. */
export const PACKAGE_FILE = new URL("plimsoll.tgz", DIST);

/** What `import "plimsoll"` gives under Node, and elsewhere. */
const NODE_ENTRY = "apps/hosts/node_library.ts";
const WEB_ENTRY = "apps/hosts/web_library.ts";
/** What lies under `plimsoll/…`; the same as in deno.json, which a test compares. */
export const SUBPATHS = {
  search: "pipeline/mod_search.ts",
  statistics: "pipeline/mod_statistics.ts",
  onnx: "onnx/mod.ts",
  targets: "tpc/mod.ts",
  http: "apps/http/mod.ts",
  edge: "apps/http/edge.ts",
};

/** Those that may run a model have a runtime of Node's. */
const NODE_SUBPATHS = {
  search: "apps/hosts/node_search.ts",
  statistics: "apps/hosts/node_statistics.ts",
  http: "apps/hosts/node_http.ts",
};

const typesOf = (entry: string) => `./types/${entry.replace(/\.ts$/, ".d.ts")}`;

/** Packages that those install who want them: ids of text, runs over a queue, buckets. */
const OPTIONAL = ["@huggingface/tokenizers", "aws4fetch", "bullmq", "ioredis", "pg"];

/** Files beside the bundles. */
const COPIED = ["LICENSE", "CHANGELOG.md", "docs/hosts.md"];

/** Builds and packs it. */
export async function buildPackage(): Promise<void> {
  await install();
  await Deno.remove(PACKAGE_FOLDER, { recursive: true }).catch(() => {});
  await Deno.mkdir(PACKAGE_FOLDER, { recursive: true });
  const { dependencies } = await readJson(new URL("package.json", NPM_FOLDER));
  const external = Object.keys(dependencies).flatMap((name) => [name, `${name}/*`]);
  await bundleAll({
    entries: {
      index: NODE_ENTRY,
      plimsoll: "apps/hosts/node_main.ts",
      command: "apps/hosts/node_command.ts",
      calibration_worker: "apps/hosts/node_worker.ts",
      request_worker: "apps/hosts/node_request_worker.ts",
      shard_worker: "apps/hosts/node_shard.ts",
      ...SUBPATHS,
      ...NODE_SUBPATHS,
    },
    outdir: "dist/npm",
    platform: "node",
    external,
    minify: false,
  });
  await bundleAll({
    entries: Object.fromEntries(
      Object.entries({ index: WEB_ENTRY, ...SUBPATHS }).map(([name, entry]) => [
        `web/${name}`,
        entry,
      ]),
    ),
    outdir: "dist/npm",
    platform: "web",
    external,
    minify: false,
  });
  await makeExecutable(new URL("plimsoll.js", PACKAGE_FOLDER));
  await writeTypes([NODE_ENTRY, WEB_ENTRY, ...Object.values(SUBPATHS)], PACKAGE_FOLDER);
  await copyFolder(
    new URL("data/", ROOT),
    new URL("data/", PACKAGE_FOLDER),
    (name) => !name.endsWith(".ts"),
  );
  for (const name of COPIED) {
    const to = new URL(name, PACKAGE_FOLDER);
    await Deno.mkdir(new URL("./", to), { recursive: true });
    await Deno.copyFile(new URL(name, ROOT), to);
  }
  await Deno.copyFile(new URL("build/npm/README.md", ROOT), new URL("README.md", PACKAGE_FOLDER));
  const { version } = await readJson(new URL("deno.json", ROOT));
  const { imports } = await readJson(new URL("import_map.json", ROOT));
  const peers = {
    "onnxruntime-node": dependencies["onnxruntime-web"],
    ...Object.fromEntries(OPTIONAL.map((name) => [name, imports[name].split("@").at(-1)])),
  };
  await Deno.writeTextFile(
    new URL("package.json", PACKAGE_FOLDER),
    `${JSON.stringify(manifest(version, dependencies, peers), null, 2)}\n`,
  );
  const name = await run("npm", ["pack", "--silent", "--pack-destination", ".."], {
    cwd: PACKAGE_FOLDER,
  });
  await Deno.rename(new URL(name.trim(), DIST), PACKAGE_FILE);
}

function manifest(
  version: string,
  dependencies: Record<string, string>,
  peers: Record<string, string>,
) {
  return {
    name: "plimsoll",
    version,
    description: "Post-training quantization of ONNX models: exact thresholds from streamed data",
    license: "Apache-2.0",
    type: "module",
    bin: { plimsoll: "./plimsoll.js" },
    exports: {
      ".": {
        node: { types: typesOf(NODE_ENTRY), default: "./index.js" },
        default: { types: typesOf(WEB_ENTRY), default: "./web/index.js" },
      },
      ...Object.fromEntries(
        Object.entries(SUBPATHS).map(([name, entry]) => [`./${name}`, {
          types: typesOf(entry),
          node: `./${name}.js`,
          default: `./web/${name}.js`,
        }]),
      ),
      "./package.json": "./package.json",
    },
    types: typesOf(NODE_ENTRY),
    engines: { node: ">=20" },
    dependencies,
    peerDependencies: peers,
    peerDependenciesMeta: Object.fromEntries(
      Object.keys(peers).map((name) => [name, { optional: true }]),
    ),
  };
}

async function makeExecutable(file: URL): Promise<void> {
  const text = await Deno.readTextFile(file);
  await Deno.writeTextFile(file, `#!/usr/bin/env node\n${text}`);
  if (Deno.build.os !== "windows") await Deno.chmod(file, 0o755);
}

// deno-lint-ignore no-explicit-any
async function readJson(file: URL): Promise<any> {
  return JSON.parse(await Deno.readTextFile(file));
}

if (import.meta.main) {
  await buildPackage();
  await stopBundling();
  console.log(`dist/plimsoll.tgz: ${(await Deno.stat(PACKAGE_FILE)).size} bytes`);
}
