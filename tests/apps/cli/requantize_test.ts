/** Quantized models as `--model`: refused, or taken with `--requantize`. */
import assert from "node:assert/strict";
import { inFolder, runCommand } from "../../support/cli.ts";
import { CALIBRATION } from "../../support/demo.ts";

Deno.test("a quantized model is refused by name, and taken with --requantize by every command", () =>
  inFolder(async (folder) => {
    const run = async (...args: string[]) => {
      const result = await runCommand(...args);
      assert.equal(result.code, 0, result.error);
      return result.out;
    };
    const statistics = `${folder}/s.plim`;
    const manifest = `${folder}/m.json`;
    const quantized = `${folder}/q.onnx`;
    await run("calibrate", "--samples", "8", "--quiet", "--out", statistics);
    await run("search", "--statistics", statistics, "--out", manifest);
    await run("emit", "--manifest", manifest, "--out", quantized);

    const data = ["--data", CALIBRATION, "--samples", "8", "--quiet"];
    const model = ["--model", quantized];
    const statistics2 = `${folder}/s2.plim`;
    const manifest2 = `${folder}/m2.json`;
    const commands = [
      ["calibrate", ...model, ...data, "--out", statistics2],
      ["search", ...model, "--statistics", statistics2, "--out", manifest2],
      ["emit", ...model, "--manifest", manifest2, "--out", `${folder}/q2.onnx`],
      [
        ...["export", "--format", "ort-cache", ...model, "--manifest", manifest2],
        ...["--out", `${folder}/c.json`],
      ],
      ["quantize", ...model, ...data, "--out", `${folder}/out`],
    ];
    for (const command of commands) {
      // Without its statistics search fails for another reason, so that each is refused in its turn.
      const refused = await runCommand(...command);
      assert.equal(refused.code, 1, command[0]);
      assert.match(
        refused.error,
        /reading ".*q\.onnx" as a float model: wanted a model without quantized operators, found (Quantize|Dequantize)Linear ".*" and \d+ more quantized operators\. .*--requantize/,
        command[0],
      );
      await run(...command, "--requantize");
    }
    const { model: found } = JSON.parse(Deno.readTextFileSync(manifest2));
    const digest = await crypto.subtle.digest("SHA-256", Deno.readFileSync(quantized));
    assert.equal(found.sha256, new Uint8Array(digest).toHex(), "the hash is the file's");
    assert.deepEqual(
      Deno.readFileSync(`${folder}/q2.onnx`),
      Deno.readFileSync(`${folder}/out/model.onnx`),
    );
    // Looking at one is no use of it as a float model.
    assert.match(await run("inspect", quantized), /29 quantizers of activations, 23 of weights/);
  }));
