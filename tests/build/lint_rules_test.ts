import assert from "node:assert/strict";
import plugin from "../../build/lint_rules.ts";

const findings = (source: string, file = "tpc/file.ts") =>
  Deno.lint.runPlugin(plugin, `/clone/${file}`, source).map(({ id }) => id);

Deno.test("no-spread-bundle refuses a spread object literal, and no other spread", () => {
  const rule = "plimsoll/no-spread-bundle";
  assert.deepEqual(findings("f({ ...{ a, b }, c });"), [rule]);
  assert.deepEqual(findings("const x = { ...{ a }, inner: { ...{ b } } };"), [rule, rule]);
  assert.deepEqual(findings("f({ ...rest, c });"), []);
  assert.deepEqual(findings("f({ ...(isOpen ? {} : { a }) });"), []);
  assert.deepEqual(findings("f([...[a, b], c]);"), []);
});
