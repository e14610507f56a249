/** What each quantizer costs the outputs, weights included, against models that quantize it alone. */
import assert from "node:assert/strict";
import { outputLosses } from "../../../pipeline/diagnose/output_losses.ts";
import { type Quantization, quantize } from "../../../pipeline/quantize/quantize.ts";
import { addOverrides, presetTarget } from "../../../tpc/targets/read_target.ts";
import { demoModel, demoSamples } from "../../support/demo.ts";

const ADD = "/features/features.5/Add_output_0";
let made: Quantization;
let losses: Awaited<ReturnType<typeof outputLosses>>;

async function lossesOf({ float, manifest }: Quantization) {
  const samples = await Array.fromAsync(await demoSamples(4));
  return await outputLosses(float.prepared, manifest, { samples });
}

Deno.test.beforeAll(async () => {
  made = await quantize(await demoModel(), await demoSamples(24), {
    target: presetTarget("default")!,
  });
  losses = await lossesOf(made);
});

Deno.test("every activation of its own grid and every layer's weights are there once, worst first", () => {
  const { activations, weights } = made.manifest;
  const names = (kind: string) =>
    losses.filter((entry) => entry.kind === kind).map(({ name }) => name).sort();
  assert.deepEqual(
    names("activation"),
    activations.filter(({ sameAs }) => sameAs === undefined).map(({ tensor }) => tensor).sort(),
  );
  assert.deepEqual(names("weights"), weights.map(({ node }) => node).sort());
  assert.deepEqual(losses, losses.toSorted((a, b) => b.loss - a.loss));
  const sum = losses.reduce((all, { share }) => all + share, 0);
  assert.ok(Math.abs(sum - 1) < 1e-9);
});

Deno.test("losses add up to what all quantizers cost together, within 3 dB", () => {
  const sum = losses.reduce((all, { loss }) => all + loss, 0);
  const [{ sqnr }] = made.verdict!.outputs;
  assert.ok(Math.abs(-10 * Math.log10(sum) - sqnr!) < 3, `${-10 * Math.log10(sum)} dB, ${sqnr}`);
});

Deno.test("an activation of 2 bits is the worst by far", async () => {
  const override = { match: { tensor: ADD }, activation: { bits: 2 } };
  const target = addOverrides(presetTarget("default")!, [override]);
  const [worst] = await lossesOf(
    await quantize(await demoModel(), await demoSamples(24), { target }),
  );
  assert.deepEqual([worst.kind, worst.name], ["activation", ADD]);
  assert.ok(worst.share > 0.5);
});

Deno.test("weights of 3 bits in one layer are the worst by far", async () => {
  const [{ node }] = made.manifest.weights;
  const override = { match: { node }, weight: { bits: 3 } };
  const target = addOverrides(presetTarget("default")!, [override]);
  const [worst] = await lossesOf(
    await quantize(await demoModel(), await demoSamples(24), { target }),
  );
  assert.deepEqual([worst.kind, worst.name], ["weights", node]);
});
