/** `inspect` as its user sees it. */
import assert from "node:assert/strict";
import { DEMO_MODEL } from "../../support/demo.ts";
import { inFolder, runCommand } from "../../support/cli.ts";

async function run(...args: string[]): Promise<string> {
  const { code, out, error } = await runCommand("inspect", ...args);
  assert.deepEqual([code, error], [0, ""], args.join(" "));
  return out;
}

/** The demo quantized from a few samples, in a folder. */
async function withResults(test: (folder: string) => Promise<void>): Promise<void> {
  await inFolder(async (folder) => {
    const data = "data/fashion/calibration-images-idx3-ubyte.gz";
    const { code, error } = await runCommand(
      ...["quantize", "--model", DEMO_MODEL, "--data", data, "--samples", "8"],
      ...["--out", folder, "--quiet"],
    );
    assert.equal(code, 0, error);
    await test(folder);
  });
}

Deno.test("three short lines list layers, find the ReLU6 and print the quantizer of a layer", () =>
  withResults(async (folder) => {
    const layers = await run();
    assert.match(layers, /^Conv +\S+\/features\.0\.0\/Conv +\[N, 16, 28, 28\] +160 +quantized/m);
    assert.match(layers, /^44 layers: 28 quantized, 15 fused, 1 keeps grid; 97,866 parameters$/m);

    const relus = (await run("--op", "Clip")).split("\n").filter((line) => /^Clip/.test(line));
    assert.equal(relus.length, 15);
    assert.ok(relus.every((line) => /^Clip 0 … 6 .* fused into \S+Conv$/.test(line)));

    const layer = await run(`${folder}/model.onnx`, "--name", "features.8.0.weight");
    const manifest = JSON.parse(await Deno.readTextFile(`${folder}/manifest.json`));
    const entry = manifest.activations.find(({ tensor }: { tensor: string }) =>
      tensor.includes("features.8")
    );
    assert.match(layer, /^Conv \S+features\.8\.0\/Conv\n/);
    assert.match(
      layer,
      /weights +features\.8\.0\.weight \[192, 48, 1, 1\], int8, 8 bits, 192 scales/,
    );
    assert.ok(layer.includes(`scale ${entry.scale}, zero point 0, codes 0 … 255`), layer);
  }));

Deno.test("a selection is part of the whole, as JSON, too", async () => {
  const whole = JSON.parse(await run("--json"));
  const part = JSON.parse(await run("--json", "--op", "Add", "--op", "G*"));
  assert.deepEqual(
    part.layers,
    whole.layers.filter(({ op }: { op: string }) => /^(Add|G.*)$/.test(op)),
  );
  assert.ok(part.layers.length > 4);
  const byName = JSON.parse(await run("--json", "--name", "/features\\.3.Add/"));
  assert.deepEqual(byName.layers.map(({ op }: { op: string }) => op), ["Add"]);
});

Deno.test("what stays float says why", async () => {
  const override = '{"match": {"operator": "GlobalAveragePool"}, "quantize": false}';
  const out = await run("--override", override, "--op", "GlobalAveragePool");
  assert.match(out, /on the target +float: left float by the override for operator/);
});

Deno.test("of one tensor of statistics the histogram is drawn, with the thresholds of methods", () =>
  withResults(async (folder) => {
    const file = `${folder}/statistics.plim`;
    const out = await run(file, "--name", "image", "--error", "mse,noclipping");
    assert.match(out, /^ +10⁴ ┤|^ +10³ ┤/m);
    const manifest = JSON.parse(await Deno.readTextFile(`${folder}/manifest.json`));
    const [{ tensor, threshold }] = manifest.activations;
    assert.equal(tensor, "image");
    assert.match(out, new RegExp(`mse ${threshold}: [\\d.]+ dB, [\\d.]+ % clipped`));
    assert.match(out, /noclipping 4: [\d.]+ dB, 0 % clipped/);
    for (const line of out.split("\n")) assert.ok([...line].length <= 80, line);

    const found = JSON.parse(await run(file, "--error", "mse", "--json"));
    assert.deepEqual(
      found.thresholds.map((entry: { thresholds: { threshold: number }[] }) =>
        entry.thresholds[0].threshold
      ),
      manifest.activations.filter(({ sameAs }: { sameAs?: string }) => sameAs === undefined)
        .map(({ threshold }: { threshold: number }) => threshold),
      "what search would choose",
    );
    assert.ok(!(await run(file)).includes("┤"), "a whole file is a table");
    assert.ok((await run(file, "--histogram")).split("┴").length > 28);
  }));

Deno.test("a manifest draws its threshold over the statistics beside it, and over no others", () =>
  withResults(async (folder) => {
    const file = `${folder}/manifest.json`;
    const out = await run(file, "--name", "image");
    assert.match(out, /^activation image\n +made by +input of the model\n/);
    assert.match(out, /mse 2 ▲/);
    await Deno.rename(`${folder}/statistics.plim`, `${folder}/s.plim`);
    assert.ok(!(await run(file, "--name", "image")).includes("▲"));
    assert.match(await run(file, "--name", "image", "--statistics", `${folder}/s.plim`), /mse 2 ▲/);
    const other = await runCommand(
      ...["calibrate", "--samples", "2", "--quiet", "--out", `${folder}/statistics.plim`],
    );
    assert.equal(other.code, 0);
    assert.ok(!(await run(file, "--name", "image")).includes("▲"), "of another calibration");
    const refused = await runCommand(
      ...["inspect", file, "--name", "image", "--statistics", `${folder}/statistics.plim`],
    );
    assert.equal(refused.code, 2);
    assert.match(refused.error, /wanted statistics with SHA-256/);
  }));

for (
  const [args, message] of [
    [
      ["--name", "nothing"],
      /wanted --name and --op to fit something, found nothing among \d+ names/,
    ],
    [["--name", "/(/"], /Invalid regular expression/],
    [["--error", "mse,kl"], /wanted one --error, found mse,kl/],
  ] as [string[], RegExp][]
) {
  Deno.test(`inspect ${args.join(" ")} is bad usage`, async () => {
    const { code, error } = await runCommand("inspect", ...args);
    assert.equal(code, 2);
    assert.match(error, message);
  });
}
