import assert from "node:assert/strict";
import { labelOf, parseLabels } from "../../../pipeline/source/labels.ts";

const classes = ["cat", "dog, big"];
for (
  const [form, text] of [
    ["CSV", "a.jpg,0\nb/c.jpg,1\n"],
    ["CSV with a header", "path,label\r\na.jpg,0\r\nb/c.jpg,1\r\n"],
    ["CSV with names and quotes", 'path,label\n"a.jpg",cat\nb/c.jpg,"dog, big"'],
    ["a JSON object", '{"a.jpg": 0, "./b/c.jpg": "dog, big"}'],
    ["JSON rows", '[{"path": "a.jpg", "label": 0}, {"file_name": "b/c.jpg", "label": 1}]'],
  ]
) {
  Deno.test(`parseLabels() reads ${form}`, () => {
    const file = parseLabels(text, "labels");
    assert.equal(labelOf({ file, classes }, "a.jpg", 0), 0);
    assert.equal(labelOf({ file, classes }, "b/c.jpg", 1), 1);
    assert.equal(labelOf({ file, classes }, "deep/a.jpg", 1), 0);
    assert.throws(
      () => labelOf({ file, classes }, "x.jpg", 2),
      /"x.jpg": wanted a label in "labels"/,
    );
  });
}

for (const text of ["[0, 1]", "0\n1\n", "label\n0\n1", '["cat", "dog, big"]']) {
  Deno.test(`parseLabels() reads labels by position: ${JSON.stringify(text)}`, () => {
    const file = parseLabels(text, "labels");
    assert.deepEqual([0, 1].map((i) => labelOf({ file, classes }, undefined, i)), [0, 1]);
  });
}

for (
  const text of ["", "a,b,c\n", "a.jpg,1\nb\n", '{"a": -1}', '[{"path": 3, "label": 1}]', "[1"]
) {
  Deno.test(`parseLabels() refuses ${JSON.stringify(text)}`, () => {
    assert.throws(() => parseLabels(text, "l"), /While reading labels "l": wanted CSV lines/);
  });
}

Deno.test("parseLabels() refuses a line that is too long to be one", () => {
  assert.throws(
    () => parseLabels(`"${"a".repeat(3e7)}`, "l"),
    /found a line of 30000001 characters/,
  );
});

Deno.test("labelOf() takes the first group of the pattern, from the name before the path", () => {
  const pattern = /^(\d+)_/;
  assert.equal(labelOf({ pattern }, "9_train/0012_x.jpg", 0), 12);
  assert.equal(labelOf({ pattern: /^(\d+)_.*\// }, "9_train/x.jpg", 0), 9);
  assert.equal(labelOf({ pattern: /^(\w+)_/, classes: ["a", "b"] }, "b_1.jpg", 0), 1);
  assert.throws(() => labelOf({ pattern }, "x.jpg", 0), /option `labelPattern` \^\(\\d\+\)_ fits/);
  assert.throws(
    () => labelOf({ pattern: /^(\w+)_/ }, "b_1.jpg", 0),
    /wanted a class index, found "b"/,
  );
});
