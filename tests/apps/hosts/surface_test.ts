/** What the library gives, frozen: a name that goes or comes is a change that users notice. */
import assert from "node:assert/strict";
import { SUBPATHS } from "../../../build/npm_package.ts";

/** Names of an entry, values and types, as `deno doc` sees them. */
async function names(entry: string): Promise<string[]> {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["doc", "--json", entry] })
    .output();
  const { nodes } = JSON.parse(new TextDecoder().decode(stdout));
  const symbols = Object.values<{ symbols: { name: string }[] }>(nodes).flatMap((file) =>
    file.symbols.map(({ name }) => name)
  );
  return [...new Set(symbols)].sort();
}

/** Entries by the names of their subpaths, as deno.json has them. */
const { exports } = JSON.parse(await Deno.readTextFile("deno.json"));

Deno.test("the library has at most 40 names at its root, and the same subpaths on npm and JSR", async () => {
  assert.ok((await names(exports["."])).length <= 40);
  const { ".": _, ...paths } = exports;
  assert.deepEqual(
    Object.fromEntries(
      Object.entries(SUBPATHS).map(([name, entry]) => [`./${name}`, `./${entry}`]),
    ),
    paths,
  );
});

for (const [subpath, entry] of Object.entries<string>(exports)) {
  const name = subpath === "." ? "library" : subpath.slice(2);
  Deno.test(`the public surface of ${entry} is what tests/apps/hosts/surface/${name}.txt says`, async () => {
    const found = await names(entry);
    assert.ok(found.length > 3);
    const path = `tests/apps/hosts/surface/${name}.txt`;
    assert.deepEqual(found, (await Deno.readTextFile(path)).trimEnd().split("\n"));
  });
}

Deno.test("the library could be published", async () => {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "publish",
      "--lock=deno.lock",
      "--dry-run",
      "--allow-dirty",
      "--allow-slow-types",
      "--no-check",
    ],
    env: { NO_COLOR: "1" },
  }).output();
  const text = new TextDecoder().decode(stderr);
  assert.ok(success, text);
  assert.match(text, /wasm\/generated\/histogram_simd\.ts/);
});
