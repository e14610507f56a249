/** Variants from shared passes are what each would be alone. */
import assert from "node:assert/strict";
import { canonicalJson } from "../../core/canonical_json.ts";
import { rewritesFor } from "../../tpc/targets/rewrites_for.ts";
import { presetTarget } from "../../tpc/targets/read_target.ts";
import type { Target } from "../../tpc/targets/target.ts";
import { evaluateVariants } from "../../pipeline/evaluate/evaluate_variants.ts";
import { learnRewrites } from "../../pipeline/passes/learn_rewrites.ts";
import {
  type NamedRecipe,
  type Pass,
  quantize,
  quantizeAll,
  rewriteModel,
} from "../../pipeline/quantize/quantize.ts";
import { demoModel, demoSamples, EVALUATION } from "../support/demo.ts";

const SAMPLES = 8;
const preset = (name: string) => presetTarget(name)!;
const withError = (name: string, error: Target["activation"]["error"], bits = 8): Target => ({
  ...preset(name),
  activation: { ...preset(name).activation, error, bits },
});
const float = await demoModel();

/** Opens the same samples as often as they are wanted. */
const opener = { open: async () => ({ samples: await demoSamples(SAMPLES) }) };

/** Quantizes, and says which passes it took. */
async function run(recipes: readonly NamedRecipe[]) {
  const passes: Pass[] = [];
  const statistics: Uint8Array[] = [];
  let opened = 0;
  // What these tests ask isn't judged: verdicts would double the work.
  const unchecked = recipes.map((recipe) => ({ ...recipe, isUnchecked: true as const }));
  const variants = await quantizeAll(float, unchecked, {
    open: () => {
      opened++;
      return opener.open();
    },
  }, {
    onEvent: (event) => {
      if (event.kind === "pass") passes.push(event.pass);
      if (event.kind === "calibrated") statistics.push(event.file);
    },
  });
  assert.equal(opened, passes.length);
  return { variants, statistics, passes };
}

Deno.test("one pass serves several methods and bits, each as quantize makes it", async () => {
  const variants = [
    { name: "mse", target: withError("default", "mse") },
    { name: "kl 4-bit", target: withError("default", "kl", 4) },
    { name: "noclipping", target: withError("default", "noclipping") },
  ];
  const made = await run(variants);
  assert.deepEqual(made.passes, [
    { stage: "calibrate", number: 1, count: 1, variants: ["mse", "kl 4-bit", "noclipping"] },
  ]);
  for (const [i, { target }] of variants.slice(0, 2).entries()) {
    const alone = await quantize(float, await demoSamples(SAMPLES), { target });
    assert.deepEqual(made.variants[i].model, alone.model);
    assert.equal(canonicalJson(made.variants[i].manifest), canonicalJson(alone.manifest));
    assert.deepEqual(made.statistics[0], alone.statistics);
  }
});

Deno.test("targets that watch other tensors, and rewrites that differ, get passes of their own", async () => {
  const uniform = withError("default", "mse");
  const equalized = { ...preset("default"), rewrites: { equalization: true } };
  const made = await run([
    { name: "a", target: preset("default") },
    { name: "b", target: preset("imx500") },
    { name: "c", target: withError("default", "mae") },
    {
      name: "d",
      target: { ...uniform, activation: { ...uniform.activation, constraint: "uniform" } },
    },
    { name: "e", target: equalized },
    { name: "f", target: { ...equalized, activation: withError("default", "kl", 4).activation } },
  ]);
  assert.deepEqual(made.passes.map(({ stage, variants }) => [stage, variants.join("")]), [
    ["ranges", "ef"],
    ["calibrate", "ac"],
    ["calibrate", "b"],
    ["calibrate", "d"],
    ["calibrate", "ef"],
  ]);
  assert.deepEqual(made.variants.map(({ name, pass }) => `${name}${pass}`), [
    ...["a0", "b1", "c0", "d2", "e3", "f3"],
  ]);
  const base = await rewriteModel(float, rewritesFor(equalized));
  const rewrites = await learnRewrites(
    await demoSamples(SAMPLES),
    { model: base.prepared, target: equalized },
    base.rewrites,
  );
  const alone = await quantize(float, opener, { target: equalized });
  assert.deepEqual(alone.manifest.rewrites, rewrites);
  assert.deepEqual(made.variants[4].model, alone.model);
});

Deno.test("weights are rounded by second moments in a pass of their own, as quantize does", async () => {
  const target = withError("default", "noclipping");
  const made = await run([
    { name: "nearest", target },
    { name: "gptq", target, weightRounding: "gptq" },
  ]);
  assert.deepEqual(made.passes.map(({ stage, variants }) => [stage, variants.join()]), [
    ["calibrate", "nearest,gptq"],
    ["round", "gptq"],
  ]);
  const alone = await quantize(float, opener, { target, weightRounding: "gptq" });
  assert.deepEqual(made.variants[1].model, alone.model);
  assert.deepEqual(made.variants[1].codes, alone.codes);
  assert.equal(made.variants[0].codes, undefined);
});

Deno.test("a method that wants held-out samples gets them in a shared pass and changes no other", async () => {
  const mse = { name: "mse", target: withError("default", "mse") };
  const both = await run([mse, { name: "auto", target: withError("default", "auto") }]);
  assert.equal(both.passes.length, 1);
  const methods = both.variants[1].manifest.activations.map(({ method }) => method);
  assert.ok(methods.every((method) => method !== undefined));
  assert.deepEqual(both.variants[0].model, (await run([mse])).variants[0].model);
});

Deno.test("evaluation in turns gives what one pass gives", async () => {
  const made = await run([
    { name: "mse", target: withError("default", "mse") },
    { name: "4-bit", target: withError("default", "mse", 4) },
    { name: "3-bit", target: withError("default", "mse", 3) },
  ]);
  const variants = made.variants.map(({ name, emitted }) => ({ name, model: emitted }));
  const open = async () => ({ samples: await demoSamples(40, EVALUATION) });
  const reference = { name: "float", model: float.original };
  const evaluate = (openSessions: number) =>
    evaluateVariants(reference, variants, { open, openSessions });
  const [whole, turns] = [await evaluate(8), await evaluate(2)];
  assert.deepEqual(
    turns.map(({ evaluation }) => evaluation),
    whole.map(({ evaluation }) => evaluation),
  );
  assert.equal(whole.length, 4);
  for (const [i, { hits, latency }] of turns.entries()) {
    assert.deepEqual(hits.compare(whole[i].hits), { total: 40, gained: 0, lost: 0 });
    assert.ok(latency > 0);
  }
  assert.ok(whole[3].evaluation.top1! < whole[0].evaluation.top1!);
});
