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
import { install, NPM_FOLDER, run } from "./install.ts";

const ROOT = new URL("../", import.meta.url);
const DIST = new URL("dist/", ROOT);
/** The package's folder. */
export const PACKAGE_FOLDER = new URL("npm/", DIST);

/** The packed package. */
export const PACKAGE_FILE = new URL("plimsoll.tgz", DIST);

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
      index: "apps/hosts/node_library.ts",
      plimsoll: "apps/hosts/node_main.ts",
      calibration_worker: "apps/hosts/node_worker.ts",
      edge: "apps/http/edge.ts",
    },
    outdir: "dist/npm",
    platform: "node",
    external,
    minify: false,
  });
  await bundleAll({
    entries: { web: "apps/hosts/web_library.ts" },
    outdir: "dist/npm",
    platform: "web",
    external,
    minify: false,
  });
  await makeExecutable(new URL("plimsoll.js", PACKAGE_FOLDER));
  await writeTypes();
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
  await Deno.writeTextFile(
    new URL("package.json", PACKAGE_FOLDER),
    `${JSON.stringify(manifest(version, dependencies), null, 2)}\n`,
  );
  const name = await run("npm", ["pack", "--silent", "--pack-destination", ".."], {
    cwd: PACKAGE_FOLDER,
  });
  await Deno.rename(new URL(name.trim(), DIST), PACKAGE_FILE);
}

function manifest(version: string, dependencies: Record<string, string>) {
  return {
    name: "plimsoll",
    version,
    description: "Post-training quantization of ONNX models: exact thresholds from streamed data",
    license: "Apache-2.0",
    type: "module",
    bin: { plimsoll: "./plimsoll.js" },
    exports: {
      ".": {
        node: { types: "./index.d.ts", default: "./index.js" },
        default: { types: "./web.d.ts", default: "./web.js" },
      },
      "./edge": { types: "./edge.d.ts", default: "./edge.js" },
      "./package.json": "./package.json",
    },
    types: "./index.d.ts",
    engines: { node: ">=20" },
    dependencies,
    peerDependencies: { "onnxruntime-node": dependencies["onnxruntime-web"] },
    peerDependenciesMeta: { "onnxruntime-node": { optional: true } },
  };
}

async function makeExecutable(file: URL): Promise<void> {
  const text = await Deno.readTextFile(file);
  await Deno.writeTextFile(file, `#!/usr/bin/env node\n${text}`);
  if (Deno.build.os !== "windows") await Deno.chmod(file, 0o755);
}

/** What the entries add to, or take of, the types of the web's. */
const OTHER_TYPES = {
  index: `import type { HostWorker } from "./web.js";
export * from "./web.js";
/** Starts a worker thread that calibrates: option \`startWorker\` of \`calibrate\` and \`quantize\`. */
export declare function startWorker(): HostWorker;
`,
  edge: `export { createEdgeHandler, DEFAULT_LIMITS } from "./web.js";
export type { Handler, HandlerOptions, Limits } from "./web.js";
`,
};

/** Declarations by TypeScript's own compiler, which wants to find packages above the sources. */
async function writeTypes(): Promise<void> {
  const folder = new URL("types/", DIST);
  const entry = "apps/hosts/web_library.ts";
  await Deno.remove(folder, { recursive: true }).catch(() => {});
  for (const name of ["pipeline", "tpc", "wasm"]) {
    await copyFolder(
      new URL(`${name}/`, ROOT),
      new URL(`${name}/`, folder),
      (file) => /\.(ts|json)$/.test(file),
    );
  }
  await Deno.symlink(new URL("node_modules", NPM_FOLDER), new URL("node_modules", folder), {
    type: "dir",
  });
  await Deno.writeTextFile(
    new URL("tsconfig.json", folder),
    JSON.stringify({
      compilerOptions: {
        target: "esnext",
        module: "esnext",
        moduleResolution: "bundler",
        strict: true,
        lib: ["esnext", "dom", "dom.iterable", "dom.asynciterable"],
        types: ["node"],
        allowImportingTsExtensions: true,
        resolveJsonModule: true,
        noEmit: true,
        verbatimModuleSyntax: true,
        skipLibCheck: true,
      },
      files: [entry],
    }),
  );
  await run("node", [
    "node_modules/dts-bundle-generator/dist/bin/dts-bundle-generator.js",
    ...["--project", "tsconfig.json", "--no-check", "--no-banner"],
    ...["--out-file", "../npm/web.d.ts", entry],
  ], { cwd: folder });
  for (const [name, text] of Object.entries(OTHER_TYPES)) {
    await Deno.writeTextFile(new URL(`${name}.d.ts`, PACKAGE_FOLDER), text);
  }
}

async function copyFolder(from: URL, to: URL, isWanted: (name: string) => boolean): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    if (isDirectory) await copyFolder(new URL(`${name}/`, from), new URL(`${name}/`, to), isWanted);
    else if (isWanted(name)) await Deno.copyFile(new URL(name, from), new URL(name, to));
  }
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
