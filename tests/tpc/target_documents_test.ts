/** What docs/targets.md promises: its example works, its table is whole, old files mean what they meant. */
import assert from "node:assert/strict";
import { outlineGraph } from "../../onnx/graph/outline.ts";
import { makeTensor } from "../../onnx/file/tensor.ts";
import { parseTarget } from "../../tpc/targets/read_target.ts";
import { resolve } from "../../tpc/placement/resolve.ts";
import { fieldTable, type JsonSchema } from "../../tpc/schema/field_reference.ts";
import { demoModel } from "../support/demo.ts";
import { model, node, value } from "../support/onnx.ts";

const document = Deno.readTextFileSync("docs/targets.md");
const reference = document.slice(document.indexOf("## Every field"));
const rows = [...reference.matchAll(/^\| `([^`]+)` \|(.*)\|$/gm)].map(([, path, rest]) => ({
  path,
  cells: rest.split(" | ").map((cell) => cell.trim()),
}));

Deno.test("the table of fields names every key of a TPC file, with its meaning", () => {
  const schema = JSON.parse(Deno.readTextFileSync("tpc/schema/target.v2.schema.json"));
  const paths = new Set(rows.map(({ path }) => path));
  const visit = (inner: JsonSchema, path: string) => {
    for (const [key, property] of Object.entries(inner.properties ?? {})) {
      const here = path === "" ? key : `${path}.${key}`;
      assert.ok(paths.has(here), here);
      visit(property, here);
    }
    if (inner.items) visit(inner.items, `${path}[]`);
  };
  for (const inner of schema.anyOf) visit(inner, "");
  assert.ok(rows.length > 60);
  for (const { path, cells } of rows) {
    const [type, , needed, meaning] = cells.slice(-4);
    assert.match(type, /^[a-z ]+$/, path);
    assert.match(needed, /^(yes|optional)$/, path);
    assert.ok(meaning.length > 5, `${path} has no meaning`);
  }
});

Deno.test("fieldTable() gives types, limits and paths of nested lists and maps", () => {
  const table = fieldTable({
    properties: {
      a: { type: "integer", minimum: 2, maximum: 8, description: "A | B" },
      list: {
        type: "array",
        minItems: 1,
        items: { type: "object", properties: { x: { enum: ["p", "q"], type: "string" } } },
      },
      map: { type: "object", additionalProperties: { type: "array", items: { type: "string" } } },
      size: { anyOf: [{ const: 16, type: "number" }, { const: 32, type: "number" }] },
    },
    required: ["a"],
  }, (path) => path === "hidden");
  assert.deepEqual(table.trimEnd().split("\n").slice(2), [
    "| `a` | integer | from 2 to 8 | yes | A \\| B |",
    "| `list` | list of object | not empty | optional |  |",
    "| `list[].x` | text | `p` `q` | optional |  |",
    "| `map` | map of list of text |  | optional |  |",
    "| `size` | number | `16` `32` | optional |  |",
  ]);
});

Deno.test("the example of docs/targets.md does what the text says", () => {
  const [, text] = document.match(/<!-- example: extend -->\n+```json\n(.*?)```/s)!;
  const target = parseTarget(JSON.parse(text), "docs/targets.md");
  assert.equal(target.activation.error, "kl");
  assert.equal(target.activation.constraint, "uniform", "from the base");
  assert.ok(target.operatorSets.every(({ operators }) => !operators.includes("LeakyRelu")));
  const w = (name: string, ...dims: number[]) =>
    makeTensor(name, dims, new Float32Array(dims.reduce((a, b) => a * b)).fill(0.1));
  const { graph } = model({
    nodes: [
      node("Conv", ["image", "w"], ["c"]),
      node("Mul", ["c", "c"], ["square"]),
      node("Conv", ["image", "w"], ["d"]),
      node("Concat", ["square", "d"], ["cat"], { axis: 1 }),
      node("LeakyRelu", ["cat"], ["leaky"], { alpha: 0.1 }),
      node("Conv", ["cat", "head"], ["z"]),
      node("Conv", ["leaky", "head"], ["y"]),
    ],
    inputs: [value("image", ["N", 32, 4, 4])],
    outputs: [value("y", ["N", 2, 4, 4]), value("z", ["N", 2, 4, 4])],
    // Of 32 multiplications for each output, below which ONNX Runtime's kernels of integers save nothing.
    initializers: [w("w", 16, 32, 1, 1), w("head", 2, 32, 1, 1)],
  });
  graph.node.at(-1)!.name = "my_head";
  const { activations, float } = resolve(outlineGraph(graph), target);
  const plan = (name: string) => activations.find(({ tensor }) => tensor === name);
  assert.equal(plan("c"), undefined, "the square is fused into the convolution");
  assert.equal(plan("image")?.spec.constraint, "pot", "by the override");
  assert.deepEqual([plan("cat")?.sameAs, plan("d")?.sameAs], ["square", "square"]);
  assert.deepEqual(float.map(({ node }) => node), ["LeakyRelu_leaky", "my_head"]);
});

Deno.test("a file of version 1 migrates, and places the demo as the program of version 1 did", async () => {
  const old = JSON.parse(Deno.readTextFileSync("tests/tpc/golden/target.v1.json"));
  // Written by resolve() of commit 413bb14, the last one with version 1, from the same file and model.
  const golden = JSON.parse(Deno.readTextFileSync("tests/tpc/golden/target.v1.placement.json"));
  const target = parseTarget(old, "target.v1.json");
  assert.equal(target.schemaVersion, 2);
  const { prepared } = await demoModel();
  const { activations, weights, float } = resolve(outlineGraph(prepared.graph), target);
  assert.deepEqual(
    {
      activations: activations.map(({ tensor, spec, fused, clamp, sameAs }) => ({
        ...{ tensor, spec, fused, clamp },
        ...(sameAs === undefined ? {} : { sameAs }),
      })),
      weights: weights.map(({ tensor, input, bias, axis, spec }) => ({
        ...{ tensor, input, bias, axis, spec },
      })),
      float: float.map(({ node, op }) => ({ node, op })),
    },
    golden,
  );
});

Deno.test("the messages of a broken file of version 1 name the path", () => {
  const old = JSON.parse(Deno.readTextFileSync("tests/tpc/golden/target.v1.json"));
  assert.throws(() => parseTarget({ ...old, surprise: 1 }, "t.json"), /version 1.*surprise/);
  assert.throws(
    () => parseTarget({ ...old, operators: { quantized: [] } }, "t.json"),
    /operators\.quantized: .*operators\.preserving: /,
  );
});
