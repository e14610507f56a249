import assert from "node:assert/strict";

Deno.test("wasm/generated is what wasm/assembly builds", async () => {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--lock=deno.lock",
      "-A",
      new URL("../../wasm/build.ts", import.meta.url).pathname,
      "--check",
    ],
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
});
