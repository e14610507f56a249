/** What the library gives, frozen: a name that goes or comes is a change that users notice. */
import assert from "node:assert/strict";

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

for (
  const [name, entry] of [["library", "pipeline/mod.ts"], ["http", "apps/http/mod.ts"], [
    "edge",
    "apps/http/edge.ts",
  ]]
) {
  Deno.test(`the public surface of ${entry} is what tests/apps/hosts/surface/${name}.txt says`, async () => {
    const found = await names(entry);
    assert.ok(found.length > 3);
    const path = `tests/apps/hosts/surface/${name}.txt`;
    assert.deepEqual(found, (await Deno.readTextFile(path)).trimEnd().split("\n"));
  });
}

Deno.test("the library could be published", async () => {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["publish", "--dry-run", "--allow-dirty", "--allow-slow-types", "--no-check"],
    env: { NO_COLOR: "1" },
  }).output();
  const text = new TextDecoder().decode(stderr);
  assert.ok(success, text);
  assert.match(text, /wasm\/generated\/histogram_simd\.ts/);
});
