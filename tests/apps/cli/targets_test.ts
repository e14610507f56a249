/** `targets` as its user sees it. */
import assert from "node:assert/strict";
import { parseTarget, presetTarget, TARGET_NAMES } from "../../../tpc/targets/read_target.ts";
import { inFolder, runCommand } from "../../support/cli.ts";

const MCT = "tests/tpc/golden/mct/tflite-1.v2.json";

Deno.test("targets lists every preset with its description, as text and as JSON", async () => {
  const text = await runCommand("targets");
  assert.deepEqual([text.code, text.error], [0, ""]);
  const json = await runCommand("targets", "--json");
  const list: { name: string; description: string }[] = JSON.parse(json.out);
  assert.deepEqual(list.map(({ name }) => name), TARGET_NAMES);
  const words = text.out.replace(/\s+/g, " ");
  for (const { name, description } of list) {
    assert.match(text.out, new RegExp(`^${name} +8 bits, .+ int8$`, "m"));
    assert.ok(words.includes(`${name} ${description}`), name);
  }
  for (const line of text.out.split("\n")) assert.ok(line.length <= 130, line);
});

for (const name of TARGET_NAMES) {
  Deno.test(`targets show ${name} names every set, operator and pattern`, async () => {
    const { code, out } = await runCommand("targets", "show", name);
    assert.equal(code, 0);
    const target = presetTarget(name)!;
    for (const set of target.operatorSets) {
      assert.ok(out.includes(`  ${set.name}: `), set.name);
      for (const op of set.operators) assert.match(out, new RegExp(`\\b${op}\\b`));
    }
    for (const { name } of target.fusing) assert.ok(out.includes(`\n  ${name}\n`), name);
  });
}

Deno.test("targets show --json gives a whole TPC file, wherever --json stands", async () => {
  const first = await runCommand("targets", "show", "imx500", "--json");
  const second = await runCommand("targets", "--json", "show", "imx500");
  assert.equal(first.out, second.out);
  const target = parseTarget(JSON.parse(first.out), "again");
  assert.deepEqual(target.operatorSets, presetTarget("imx500")!.operatorSets);
});

Deno.test("targets show explains a file of the user's, completed by what it extends", () =>
  inFolder(async (folder) => {
    const file = `${folder}/mine.json`;
    await Deno.writeTextFile(
      file,
      JSON.stringify({
        schemaVersion: 2,
        name: "mine",
        extends: "onnxruntime",
        activation: { error: "kl" },
        composites: [{ name: "Square", forms: ["Mul(x, x)"] }],
        operatorSets: [{
          name: "squares",
          operators: ["Square"],
          where: { axis: [1, -1] },
          use: "quantized",
          output: { bits: 8, signed: "no" },
        }],
        overrides: [{ match: { node: "*head*" }, quantize: false }],
      }),
    );
    const { code, out, error } = await runCommand("targets", "show", file);
    assert.deepEqual([code, error], [0, ""]);
    for (
      const text of [
        "error method kl",
        "squares: quantized; output 8 bits, never signed\n      Square\n      only where axis is 1 or -1",
        "Composites of this target\n  Square\n      Mul(x, x)",
        "node *head*: float",
        "QLinearConv: quantized",
      ]
    ) assert.ok(out.includes(text), text);
  }));

Deno.test("targets show turns a platform of MCT into a TPC file and notes what is lost", () =>
  inFolder(async (folder) => {
    const { code, out, error } = await runCommand("targets", "show", MCT, "--json");
    assert.equal(code, 0);
    assert.match(error, /^(note: [^\n]+ = [^\n]+\n)+$/);
    await Deno.writeTextFile(`${folder}/t.json`, out);
    const again = await runCommand("targets", "show", `${folder}/t.json`, "--json");
    assert.deepEqual([again.out, again.error], [out, ""]);
  }));

Deno.test("search decides for MCT's default platform as for preset default", () =>
  inFolder(async (folder) => {
    const statistics = `${folder}/s.plim`;
    // MCT quantizes the logits, too.
    const quantized = `${folder}/t.json`;
    const layers = { name: "fully connected", operators: ["Gemm", "MatMul"], use: "quantized" };
    await Deno.writeTextFile(
      quantized,
      JSON.stringify({
        ...{ schemaVersion: 2, name: "mine", extends: "default", operatorSets: [layers] },
      }),
    );
    const run = await runCommand(
      ...["calibrate", "--target", quantized, "--samples", "8", "--out", statistics, "--quiet"],
    );
    assert.equal(run.code, 0, run.error);
    const decide = async (target: string) => {
      const out = `${folder}/m.json`;
      const run = await runCommand(
        ...["search", "--statistics", statistics, "--target", target, "--out", out],
      );
      assert.equal(run.code, 0, run.error);
      const { activations, weights, float } = JSON.parse(await Deno.readTextFile(out));
      return { activations, weights, float };
    };
    const own = await decide(quantized);
    assert.ok(own.activations.length > 20);
    assert.deepEqual(await decide("tests/tpc/golden/mct/imx500-1.v2.json"), own);
  }));

for (
  const [args, message] of [
    [["show", "nothing"], /a name \(default, imx500, .*\) or a file, found "nothing"/],
    [["show"], /missing required argument 'name\|file'/],
    [["explain"], /too many arguments|unknown command|Expected 0 arguments/],
  ] as [string[], RegExp][]
) {
  Deno.test(`plimsoll targets ${args.join(" ")} is bad usage`, async () => {
    const { code, error } = await runCommand("targets", ...args);
    assert.equal(code, 2);
    assert.match(error, message);
  });
}
