import assert from "node:assert/strict";
import { type SettingLists, variantsOf } from "../../../pipeline/compare/variants.ts";
import { PlimsollError } from "../../../core/errors.ts";

const names = (lists: SettingLists) => variantsOf(lists).map(({ name }) => name);
const target = ["default"];

Deno.test("variants are the product of all lists, named by what differs", () => {
  assert.deepEqual(names({ target, error: ["mse", "kl"] }), ["mse", "kl"]);
  assert.deepEqual(names({ target, error: ["mse", "kl"], bits: [8, 4], weightBits: [8] }), [
    "mse 8-bit",
    "mse 4-bit",
    "kl 8-bit",
    "kl 4-bit",
  ]);
  assert.deepEqual(names({ target: ["default", "my/fine.json"], error: ["mse"] }), [
    "default",
    "fine",
  ]);
  const all = variantsOf({
    target: ["default", "onnxruntime"],
    constraint: ["pot", "uniform"],
    weightBits: [8, 4],
    weightError: ["mse", "mae"],
    equalize: [false, true],
  });
  assert.equal(all.length, 32);
  assert.equal(new Set(all.map(({ name }) => name)).size, 32);
  assert.equal(all[31].name, "onnxruntime uniform 4-bit weights mae weights equalize");
  assert.equal(all[31].folder, "onnxruntime-uniform-4-bit-weights-mae-weights-equalize");
  assert.deepEqual(all[31].settings, {
    target: "onnxruntime",
    constraint: "uniform",
    weightBits: 4,
    weightError: "mae",
    equalize: true,
  });
});

Deno.test("where nothing differs, MSE and no clipping are compared", () => {
  assert.deepEqual(names({ target }), ["mse", "noclipping"]);
  assert.deepEqual(variantsOf({ target, bits: [4] }).map(({ settings }) => settings), [
    { target: "default", bits: 4, error: "mse" },
    { target: "default", bits: 4, error: "noclipping" },
  ]);
  assert.deepEqual(names({ target, error: ["kl"] }), ["kl"]);
  assert.deepEqual(names({ target, bits: [8, 4] }), ["8-bit", "4-bit"]);
});

Deno.test("values given twice count once, and names and folders are distinct", () => {
  assert.deepEqual(names({ target, error: ["mse", "mse", "kl"] }), ["mse", "kl"]);
  const same = variantsOf({ target: ["a/t.json", "b/T.json", "..", "c/t-2.json"] });
  assert.deepEqual(same.map(({ name }) => name), ["t", "T (2)", "..", "t-2"]);
  assert.deepEqual(new Set(same.map(({ folder }) => folder.toLowerCase())).size, 4);
  assert.ok(same.every(({ folder }) => /^[\w-]+$/.test(folder)), JSON.stringify(same));
});

Deno.test("more than 64 variants are refused", () => {
  const bits = [2, 3, 4, 5, 6, 7, 8, 9];
  assert.equal(variantsOf({ target, bits, weightBits: bits }).length, 64);
  assert.throws(
    () => variantsOf({ target, bits, weightBits: bits, equalize: [true, false] }),
    (error) =>
      error instanceof PlimsollError && error.kind === "usage" &&
      /at most 64 variants, found 8 × 8 × 2 = 128/.test(error.message),
  );
});
