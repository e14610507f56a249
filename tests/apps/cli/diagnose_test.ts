/** `--diagnose` as its user sees it. */
import assert from "node:assert/strict";
import type { Diagnosis } from "../../../pipeline/diagnose/diagnosis.ts";
import { CALIBRATION, DEMO_MODEL } from "../../support/demo.ts";
import { inFolder, runCommand } from "../../support/cli.ts";

const QUANTIZE = ["quantize", "--model", DEMO_MODEL, "--data", CALIBRATION, "--samples", "12"];

Deno.test("quantize --diagnose writes diagnosis.json, prints the worst layers and how to mend them", () =>
  inFolder(async (folder) => {
    const override =
      '{"match": {"tensor": "/features/features.5/Add_output_0"}, "activation": {"bits": 2}}';
    const { code, out, error } = await runCommand(
      ...[...QUANTIZE, "--out", folder, "--override", override, "--diagnose"],
      ...["--diagnose-samples", "5", "--diagnose-remedies", "1", "--accept"],
    );
    assert.equal(code, 0, error);
    const diagnosis: Diagnosis = JSON.parse(await Deno.readTextFile(`${folder}/diagnosis.json`));
    assert.deepEqual([diagnosis.samples, diagnosis.data], [5, "calibration"]);
    const [worst] = diagnosis.worst;
    assert.equal(worst, "/features/features.5/Add_output_0");
    assert.match(out, /^Worst layers of 30 on 5 calibration samples: output [\d.]+ dB$/m);
    const [best] = diagnosis.remedies!.tried;
    assert.equal(best.tensor, worst);
    assert.ok(best.gain! > 3);
    const [, text] = out.match(/--override '(.*)'/)!;
    assert.deepEqual(JSON.parse(text), best.override);
    assert.match(error, /diagnose +5\/5/);

    // The same models and samples from files: the rewrites of the manifest beside it count.
    const compared = await runCommand(
      ...["evaluate", DEMO_MODEL, `${folder}/model.onnx`, "--data", CALIBRATION, "--samples", "5"],
      ...["--diagnose", "--json"],
    );
    assert.equal(compared.code, 0, compared.error);
    const { models, diagnosis: again } = JSON.parse(compared.out);
    assert.deepEqual(again.tensors, diagnosis.tensors);
    assert.deepEqual([again.data, again.remedies], ["evaluation", null]);
    assert.ok(Math.abs(models[1].sqnr - diagnosis.output!.sqnr!) < 1e-3);
    const table = await runCommand(
      ...["evaluate", DEMO_MODEL, `${folder}/model.onnx`, "--data", CALIBRATION, "--samples", "5"],
      "--diagnose",
    );
    assert.match(table.out, /^Layers on 5 evaluation samples: output [\d.]+ dB$/m);
    assert.match(table.out, /^ +1 +\/features\/features\.5\/Add_output_0 +Add +2 /m);
  }));

Deno.test("without remedies none are tried", () =>
  inFolder(async (folder) => {
    const { code, out } = await runCommand(
      ...[
        ...QUANTIZE,
        "--out",
        folder,
        "--diagnose",
        "--diagnose-remedies",
        "0",
        "--quiet",
        "--json",
      ],
      ...["--diagnose-samples", "2"],
    );
    assert.equal(code, 0);
    assert.equal(JSON.parse(out).diagnosis.remedies, null);
  }));

for (
  const [args, message] of [
    [["quantize", "--diagnose-samples", "3"], /wanted --diagnose with --diagnose-samples/],
    [["quantize", "--diagnose-remedies", "-1"], /an integer of at least 0/],
    [["quantize", "--data", "-", "--diagnose"], /read more than once, found standard input/],
    [["evaluate", "a.onnx", "--data", "x", "--diagnose"], /a float and a quantized model/],
    [["evaluate", "a.onnx", "b.onnx", "--data", "-", "--diagnose"], /found standard input/],
  ] as [string[], RegExp][]
) {
  Deno.test(`plimsoll ${args.join(" ")} is bad usage`, async () => {
    const { code, error } = await runCommand(...args);
    assert.equal(code, 2);
    assert.match(error, message);
  });
}
