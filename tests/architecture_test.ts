/** Rules of the repository that no compiler checks. */
import assert from "node:assert/strict";
import { VERSION } from "../core/version.ts";

const ROOT = new URL("../", import.meta.url).href;
/** Files that may name Deno: the entry, the host leaf and development tools. */
const MAY_NAME_DENO = [
  "launch.ts",
  "main.ts",
  "apps/hosts/deno.ts",
  "apps/hosts/deno_runtime.ts",
  "apps/hosts/deno_terminal.ts",
  "wasm/build.ts",
  "wasm/image/build.ts",
  "tpc/schema/build.ts",
  "build/browser.ts",
  "build/bundle.ts",
  "build/cached.ts",
  "build/copy_folder.ts",
  "build/npm_types.ts",
  "build/install.ts",
  "build/isolate_memory.ts",
  "build/measure_browser.ts",
  "build/measure_hosts.ts",
  "build/npm_package.ts",
  "build/report_page.ts",
  "build/workers.ts",
  "apps/hosts/serve_deno.ts",
];
/** Files that may import Node's modules: its host leaves and development tools. */
const MAY_IMPORT_NODE = /^(apps\/hosts\/node(_\w+)?\.ts|(build|wasm|wasm\/image)\/\w+\.ts)$/;

interface Module {
  specifier: string;
  local?: string;
  dependencies?: {
    specifier: string;
    code?: { specifier?: string };
    type?: { specifier?: string };
  }[];
}

const path = (specifier: string) => specifier.slice(ROOT.length);

/** All modules behind the entries, as `deno info` sees them, but for those that tools share with tests. */
async function modules(...entries: string[]): Promise<Module[]> {
  const found = new Map<string, Module>();
  for (const entry of entries) {
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["info", "--lock=deno.lock", "--json", entry],
    })
      .output();
    for (const module of JSON.parse(new TextDecoder().decode(stdout)).modules) {
      found.set(module.specifier, module);
    }
  }
  return [...found.values()].filter(({ specifier }) =>
    specifier.startsWith(ROOT) && !path(specifier).startsWith("tests/")
  );
}

const folder = (specifier: string) => path(specifier).replace(/\/?[^/]*$/, "") || ".";
const product = await modules(
  "launch.ts",
  "main.ts",
  "pipeline/mod.ts",
  "wasm/build.ts",
  "wasm/image/build.ts",
  "tpc/schema/build.ts",
  "build/measure_hosts.ts",
  "build/npm_package.ts",
  "build/report_page.ts",
  "build/workers.ts",
  "apps/browser/page/main.ts",
  "apps/browser/worker.ts",
  "apps/http/request_worker.ts",
  "apps/hosts/deno_command.ts",
  "apps/hosts/deno_shard.ts",
  "apps/hosts/node_command.ts",
  "apps/hosts/node_library.ts",
  "apps/hosts/node_main.ts",
  "apps/hosts/node_shard.ts",
  "apps/hosts/node_request_worker.ts",
  "apps/hosts/node_worker.ts",
  "apps/hosts/serve_deno.ts",
  "apps/hosts/web_library.ts",
  "apps/hosts/workerd.ts",
  "apps/hosts/workerd_edge.ts",
);
const imports = product.flatMap(({ specifier, dependencies = [] }) =>
  dependencies.map((dependency) => ({
    from: specifier,
    name: dependency.specifier,
    to: dependency.code?.specifier ?? dependency.type?.specifier ?? "",
  }))
);

Deno.test("folders don't import each other in a cycle", () => {
  const edges = new Map<string, Set<string>>();
  for (const { from, to } of imports) {
    if (!to.startsWith(ROOT) || folder(from) === folder(to)) continue;
    edges.set(folder(from), (edges.get(folder(from)) ?? new Set()).add(folder(to)));
  }
  assert.ok(edges.size > 8, `only ${edges.size} folders import others`);
  const state = new Map<string, "open" | "done">();
  const visit = (name: string, way: readonly string[]) => {
    assert.notEqual(state.get(name), "open", `cycle: ${[...way, name].join(" → ")}`);
    if (state.get(name) === "done") return;
    state.set(name, "open");
    for (const next of edges.get(name) ?? []) visit(next, [...way, name]);
    state.set(name, "done");
  };
  for (const name of edges.keys()) visit(name, []);
});

/** The floors of the house, each may import those behind it: main → apps → pipeline → tpc → onnx → {wasm, core}. */
const FLOORS = ["main.ts", "apps", "pipeline", "tpc", "onnx", "wasm", "core"];

Deno.test("imports point down: main → apps → pipeline → tpc → onnx → {wasm, core}", () => {
  const floor = (specifier: string) => FLOORS.indexOf(path(specifier).split("/")[0]);
  const upward = imports.filter(({ from, to }) => {
    if (!to.startsWith(ROOT)) return false;
    const [above, below] = [floor(from), floor(to)];
    return above >= 0 && below >= 0 &&
      (below < above || path(from).startsWith("wasm/") && below > above);
  });
  assert.deepEqual(upward, []);
});

Deno.test("nothing that ships imports tests/ or data/", () => {
  const shipped = imports.filter(({ from }) => !path(from).startsWith("build/"));
  assert.deepEqual(shipped.filter(({ to }) => /^(tests|data)\//.test(path(to))), []);
});

Deno.test("only the entry, the host leaf and development tools name Deno", () => {
  const naming = product.filter(({ local }) =>
    local?.endsWith(".ts") && /\bDeno\./.test(Deno.readTextFileSync(local))
  );
  assert.deepEqual(
    naming.map(({ specifier }) => path(specifier)).filter((name) => !MAY_NAME_DENO.includes(name)),
    [],
  );
});

Deno.test("only Node's host leaves and development tools import Node's modules", () => {
  const importers = new Set(
    imports.filter(({ name }) => name.startsWith("node:")).map(({ from }) => path(from)),
  );
  assert.deepEqual([...importers].filter((name) => !MAY_IMPORT_NODE.test(name)), []);
});

Deno.test("the library and the HTTP handler know no host, and the edge no runtime", async () => {
  const reached = async (entry: string) =>
    (await modules(entry)).map(({ specifier }) => path(specifier));
  for (const entry of ["pipeline/mod.ts", "apps/http/mod.ts"]) {
    const paths = await reached(entry);
    assert.ok(paths.length > 50);
    assert.deepEqual(paths.filter((name) => name.startsWith("apps/hosts/")), [], entry);
    assert.deepEqual(paths.filter((name) => name.startsWith("apps/cli/")), [], entry);
  }
  const edge = await reached("apps/hosts/workerd_edge.ts");
  assert.ok(edge.includes("pipeline/search/decide.ts"));
  assert.deepEqual(
    edge.filter((name) => /session\.ts$|^pipeline\/quantize\/quantize\.ts$|calibrate/.test(name)),
    [],
  );
});

Deno.test("nothing that ships imports build/, and build/ installs the versions of import_map.json", () => {
  const wrong = imports.filter(({ from, to }) =>
    path(to).startsWith("build/") && !path(from).startsWith("build/")
  );
  assert.deepEqual(wrong, []);
  const { imports: pinned } = JSON.parse(Deno.readTextFileSync("import_map.json"));
  const versions = new Map(
    Object.values<string>(pinned).filter((to) => !to.startsWith("./")).map((target) =>
      /^npm:\/?(@?[^@]+)@([^/]+)/.exec(target)!.slice(1) as [string, string]
    ),
  );
  const { dependencies, devDependencies } = JSON.parse(
    Deno.readTextFileSync("build/npm/package.json"),
  );
  for (const [name, version] of Object.entries<string>({ ...dependencies, ...devDependencies })) {
    assert.match(version, /^\d/, `${name} is not pinned`);
    if (versions.has(name)) assert.equal(version, versions.get(name), name);
    else assert.ok(name in devDependencies, `${name} is not in import_map.json`);
  }
});

Deno.test("one file imports onnxruntime-web", () => {
  const importers = new Set(
    imports.filter(({ name }) => name.startsWith("onnxruntime-web")).map(({ from }) => path(from)),
  );
  assert.deepEqual([...importers], ["pipeline/inference/session.ts"]);
});

Deno.test("the version is the same everywhere", () => {
  const { version } = JSON.parse(Deno.readTextFileSync("deno.json"));
  const { imports } = JSON.parse(Deno.readTextFileSync("import_map.json"));
  assert.equal(version, VERSION);
  assert.match(
    Deno.readTextFileSync("CHANGELOG.md"),
    new RegExp(`^## ${VERSION.replaceAll(".", "\\.")}`, "m"),
  );
  for (const target of Object.values<string>(imports).filter((to) => !to.startsWith("./"))) {
    assert.match(target, /@\d+\.\d+\.\d+/, `${target} is not pinned`);
  }
});

Deno.test("published JSON Schemas are what the sources give", async () => {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--lock=deno.lock", "-A", "tpc/schema/build.ts", "--check"],
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
});

Deno.test("the data have the hashes that their README gives", async () => {
  const readme = Deno.readTextFileSync("data/README.md");
  const rows = [...readme.matchAll(/^\| `([^`]+)` \|.*\| `([0-9a-f]{64})` \|$/gm)];
  const files = Array.from(Deno.readDirSync("data/fashion"), ({ name }) => name);
  assert.deepEqual(rows.map(([, name]) => name).sort(), files.sort());
  for (const [, name, expected] of rows) {
    const digest = await crypto.subtle.digest("SHA-256", Deno.readFileSync(`data/fashion/${name}`));
    assert.equal(new Uint8Array(digest).toHex(), expected, name);
  }
});

/**
 * Somebody's home on any system, and the usual places of checkouts and temporary files, at the beginning of a path, not
 * in the middle of one or of an address.
 */
const PATHS_OF_A_MACHINE = [
  /(?:^|file:\/\/|[^\w.:/}*-])\/(?:(?:home|Users)\/\w+|root|tmp|work)\//,
  /\b[A-Za-z]:\\+Users\\/,
];

Deno.test("no tracked file holds a path of somebody's machine", async () => {
  const { success, stdout } = await new Deno.Command("git", { args: ["ls-files"] }).output();
  if (!success) return; // Not a checkout: an archive of it was unpacked.
  const found: string[] = [];
  for (const name of new TextDecoder().decode(stdout).trimEnd().split("\n")) {
    const bytes = await Deno.readFile(name).catch(() => new Uint8Array());
    if (bytes.includes(0)) continue; // Not text.
    new TextDecoder().decode(bytes).split("\n").forEach((line, i) => {
      if (PATHS_OF_A_MACHINE.some((pattern) => pattern.test(line))) found.push(`${name}:${i + 1}`);
    });
  }
  assert.deepEqual(found, []);
});
