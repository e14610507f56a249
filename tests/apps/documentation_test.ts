/** Public documentation: complete, and its examples run. */
import assert from "node:assert/strict";

/** Types of dependencies that the public surface mentions; `deno doc` takes them for private. */
const FOREIGN = ["ModelProto", "GraphProto", "TensorProto", "output", "ZodType"];
/** What a package gives: root and subpaths. */
const ENTRIES = Object.values<string>(JSON.parse(await Deno.readTextFile("deno.json")).exports);
/** Zod schemas behind public types, most of them published as JSON Schema in tpc/schema/. */
const SCHEMAS = [
  ...["manifestSchema", "targetSchema", "preprocessingSchema", "CONTAINERS"],
  ...["costsFileSchema", "sensitivitySchema", "gatheringSchema", "orderSchema"],
];

Deno.test("every public symbol is documented", async () => {
  const { stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["doc", "--lock=deno.lock", "--lint", ...ENTRIES, "wasm/mod.ts"],
    ],
    env: { NO_COLOR: "1" },
  }).output();
  const faults = new TextDecoder().decode(stderr).split(/^(?=error\[)/m).filter((part) =>
    part.startsWith("error[")
  );
  const known = [...FOREIGN, ...SCHEMAS].map((name) => `references private type '${name}'`);
  const left = faults.filter((fault) => !known.some((text) => fault.includes(text)));
  assert.deepEqual(left.map((fault) => fault.split("\n").slice(0, 2).join(" ")), []);
});

Deno.test("the examples in doc comments run", async () => {
  const folders = ["wasm", "core", "onnx", "tpc", "pipeline", "apps/http"];
  const files = folders.flatMap((folder) => foldersIn(folder)).map((folder) => `${folder}/*.ts`);
  const paths = files.flatMap((pattern) => {
    const folder = pattern.replace("/*.ts", "");
    return Array.from(Deno.readDirSync(folder), ({ name }) => `${folder}/${name}`).filter((name) =>
      name.endsWith(".ts")
    );
  });
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    // Unchecked: deno imports into each example what the file exports, used or not.
    args: ["test", "--lock=deno.lock", "-A", "--doc", "--no-check", "--quiet", ...paths],
    env: { NO_COLOR: "1" },
  }).output();
  const text = new TextDecoder().decode(stdout);
  assert.ok(success, text + new TextDecoder().decode(stderr));
  assert.ok(Number(text.match(/(\d+) passed/)?.[1]) >= 8, text);
});

Deno.test("links in documents lead to files", async () => {
  const { stdout } = await new Deno.Command("git", { args: ["ls-files", "*.md"] }).output();
  const broken: string[] = [];
  for (const name of new TextDecoder().decode(stdout).trimEnd().split("\n")) {
    const text = (await Deno.readTextFile(name)).replaceAll(/^```[^]*?^```/gm, "");
    for (const [, target] of text.matchAll(/\]\(([^)\s#]+)[^)]*\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      const url = new URL(target, new URL(`../../${name}`, import.meta.url));
      if (await Deno.stat(url).then(() => false, () => true)) broken.push(`${name}: ${target}`);
    }
  }
  assert.deepEqual(broken, []);
});

/** A folder and those below it that hold sources of the product. */
function foldersIn(folder: string): string[] {
  const below = Array.from(Deno.readDirSync(folder)).filter(({ name, isDirectory }) =>
    isDirectory && !["assembly", "generated", "image", "client"].includes(name)
  );
  return [folder, ...below.flatMap(({ name }) => foldersIn(`${folder}/${name}`))];
}
