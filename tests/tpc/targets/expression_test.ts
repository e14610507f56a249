import assert from "node:assert/strict";
import { COMPOSITES, PARTS } from "../../../tpc/placement/composite_library.ts";
import { parseExpression } from "../../../tpc/targets/expression.ts";

Deno.test("parseExpression() reads operators, attributes, numbers, the input and constants", () => {
  assert.deepEqual(parseExpression(" Mul(x, HardSigmoid{alpha=0.2,beta=5e-1}(x)) "), {
    kind: "node",
    op: "Mul",
    attributes: new Map(),
    args: [
      { kind: "input" },
      {
        kind: "node",
        op: "HardSigmoid",
        attributes: new Map([["alpha", 0.2], ["beta", 0.5]]),
        args: [{ kind: "input" }],
      },
    ],
  });
  assert.deepEqual(parseExpression("Add(c, -1.5)"), {
    kind: "node",
    op: "Add",
    attributes: new Map(),
    args: [{ kind: "constant" }, { kind: "constant", value: -1.5 }],
  });
});

for (const text of ["", "Mul(", "Mul(x", "Mul(x,)", "Mul(x))", "Mul x", "Mul(x; x)", "Mul{a}(x)"]) {
  Deno.test(`parseExpression() refuses ${JSON.stringify(text)} and says where`, () => {
    assert.throws(() => parseExpression(text), SyntaxError);
  });
}

Deno.test("the library's forms are expressions, each name stands once", () => {
  for (const { forms } of COMPOSITES) for (const form of forms) parseExpression(form, PARTS);
  assert.equal(new Set(COMPOSITES.map(({ name }) => name)).size, COMPOSITES.length);
});

Deno.test("parseExpression() reads parts, as a choice of their expressions, and shapes", () => {
  const parts = { root: ["Sqrt(x)", "Pow(x, 0.5)"] };
  const found = parseExpression("Reshape(root, s)", parts);
  assert.ok(found.kind === "node" && found.args[0].kind === "choice");
  assert.deepEqual(found.args[0].options, parts.root.map((option) => parseExpression(option)));
  assert.deepEqual(found.args[1], { kind: "shape" });
  assert.throws(() => parseExpression("Reshape(root, s)"), SyntaxError);
});
