/** Recipes: one table, read everywhere; contradictions refused in one place. */
import assert from "node:assert/strict";
import { Ajv2020 } from "ajv/dist/2020.js";
import { Command } from "commander";
import { addWishOptions, EVERY_WISH, wishesIn } from "../../../apps/cli/wish_options.ts";
import { targetOptions } from "../../../apps/http/options.ts";
import { LISTED } from "../../../pipeline/compare/variants.ts";
import { optionName } from "../../../core/option_words.ts";
import { parseRecipe, type Recipe, resolveRecipe } from "../../../tpc/recipe/recipe.ts";
import { formOf, parseWish, wantedOf } from "../../../tpc/recipe/wish.ts";
import { WISH_ENTRIES } from "../../../tpc/recipe/wishes.ts";
import { presetTarget } from "../../../tpc/targets/read_target.ts";

/** A value that a wish takes, as text. */
function exampleOf(schema: Parameters<typeof formOf>[0]): string {
  const form = formOf(schema);
  if (form.kind === "yesNo") return "yes";
  return String(form.kind === "choice" ? form.values.at(-1) : Math.max(form.least, 4));
}

Deno.test("every wish is on the command line, over HTTP where one pass gives it, in compare, in schema and docs", async () => {
  const docs = await Deno.readTextFile("docs/recipe.md");
  const schema = JSON.parse(await Deno.readTextFile("tpc/schema/recipe.v1.schema.json"));
  const page = await Deno.readTextFile("apps/browser/page/settings.ts");
  assert.match(page, /WISH_ENTRIES\.map/, "the page makes its form from the table");
  const command = addWishOptions(new Command(), EVERY_WISH);
  for (const [key, wish] of WISH_ENTRIES) {
    const option = command.options.find((entry) => entry.attributeName() === key);
    assert.ok(option?.long === `--${optionName(key)}`, key);
    const isOverHttp = key in targetOptions;
    assert.equal(isOverHttp, wish.pass === undefined && key !== "requantize", key);
    assert.equal(LISTED.includes(key), key !== "requantize", key);
    assert.ok(key in schema.properties, key);
    assert.ok(docs.includes(`| \`${key}\` | \`--${optionName(key)}\` |`), key);
    const text = exampleOf(wish.schema);
    assert.notEqual(parseWish(wish, text), undefined, `${key}=${text}`);
    assert.equal(parseWish(wish, "nonsense?"), undefined, key);
    assert.ok(wantedOf(wish).length > 3);
  }
});

Deno.test("wishes read from a command line are those of the same recipe", () => {
  const command = addWishOptions(new Command(), EVERY_WISH).exitOverride();
  const wanted: Record<string, unknown> = {};
  const args: string[] = [];
  for (const [key, wish] of WISH_ENTRIES) {
    const text = exampleOf(wish.schema);
    wanted[key] = parseWish(wish, text);
    args.push(`--${optionName(key)}`, ...(wish.isFlag ? [] : [text]));
  }
  command.parse(args, { from: "user" });
  assert.deepEqual(wishesIn(command.opts()), wanted);
  assert.deepEqual(parseRecipe(wanted, "r.json"), wanted);
});

Deno.test("a wish that has a place replaces that setting of the target, for all operators", () => {
  const base = presetTarget("imx500")!;
  for (const [key, { place, schema }] of WISH_ENTRIES) {
    if (place === undefined) continue;
    const value = parseWish({ schema }, exampleOf(schema));
    const allowed = { ...base, allowed: undefined };
    const { target } = resolveRecipe({ target: allowed, [key]: value } as Recipe);
    const [part, setting] = place;
    assert.equal((target[part] as Record<string, unknown>)[setting], value, key);
  }
});

Deno.test("wishes that contradict each other, are misspelt or out of range are refused by name", () => {
  const refused: [object, RegExp][] = [
    [{ bit: 8 }, /Unrecognized key: "bit"/],
    [{ bits: 17 }, /bits: /],
    [{ target: "nope" }, /wanted a name \(default, .*found "nope"/],
    [{ target: { schemaVersion: 2, name: "x" } }, /reading target "x"/],
    [{ exact: true, autoBy: "output", error: "auto" }, /`exact`.*`autoBy: output`.*found both/],
    [{ autoRuns: 5 }, /`autoBy: output` with option `autoRuns`/],
    [{ autoBy: "output" }, /`error: auto`.*found mse for every tensor/],
    [{ target: "imx500", bits: 5 }, /activation\.bits to be one of 8, 16, found 5/],
    [{ overrides: [{ match: {}, activation: { bits: 99 } }] }, /bits/],
    [
      { weightOnly: "int8", bits: 8 },
      /`weightOnly: int8` can honour: no activation is quantized, found option `bits: 8`/,
    ],
    [{ weightOnly: "int4", exact: true }, /found option `exact: yes`/],
    [{ weightOnly: "int4", autoBy: "output", error: "auto" }, /found option `error: auto`/],
    [{ weightOnly: "int8", activation: "dynamic" }, /found option `activation: dynamic`/],
    [
      { weightOnly: "int4", weightBits: 3 },
      /bits and granularity itself, found option `weightBits: 3`/,
    ],
    [{ weightOnly: "int8", weightBlock: 64 }, /found option `weightBlock: 64`/],
    [{ weightOnly: "float16", weightRounding: "gptq" }, /no grid to choose, found .*gptq/],
    [{ activation: "dynamic", bits: 8 }, /as the model runs.*found option `bits: 8`/],
    [{ activation: "dynamic", exact: true }, /found option `exact: yes`/],
    [
      { activation: "dynamic", weightGranularity: "block" },
      /found option `weightGranularity: block`/,
    ],
  ];
  for (const [recipe, message] of refused) {
    assert.throws(() => resolveRecipe(recipe as Recipe), message, JSON.stringify(recipe));
  }
});

Deno.test("a resolved recipe carries its target whole, and resolves to the same again", () => {
  const first = resolveRecipe({ target: "onnxruntime", bits: 7, reluBounds: true });
  const again = resolveRecipe(parseRecipe(JSON.parse(JSON.stringify(first.recipe)), "m.json"));
  assert.deepEqual(again.target, first.target);
  assert.deepEqual(again.recipe, first.recipe);
  assert.deepEqual(resolveRecipe({ overrides: [] }).recipe, resolveRecipe({}).recipe);
  assert.equal((first.recipe.target as { name: string }).name, "onnxruntime");
  const schema = JSON.parse(Deno.readTextFileSync("tpc/schema/recipe.v1.schema.json"));
  const validate = new Ajv2020({ strict: false }).compile(schema);
  assert.ok(validate(JSON.parse(JSON.stringify(first.recipe))), JSON.stringify(validate.errors));
});

Deno.test("a recipe without grids of activations rewrites nothing for their sake", async () => {
  const { rewritesFor } = await import("../../../tpc/targets/rewrites_for.ts");
  const found = (recipe: Recipe) => rewritesFor(resolveRecipe(recipe).target);
  assert.equal(found({ target: "default" }).reluBounds, true);
  for (const target of ["default", "onnxruntime"]) {
    for (const recipe of [{ weightOnly: "int8" }, { activation: "dynamic" }] as const) {
      assert.deepEqual(found({ target, ...recipe }), {});
    }
  }
});
