/** The command line where a batch doesn't fit into the runtime's heap: takes the 4 GiB that it has. */
import assert from "node:assert/strict";
import { inFolder, runCommand } from "../../support/cli.ts";

Deno.test("a batch that is too large ends with numbers and a batch that works, and the runtime stays usable", async () => {
  await inFolder(async (folder) => {
    // 12,000 raw samples of the demo's shape; all of them in one batch take more than 4 GiB of activations.
    const count = 12_000;
    await Deno.writeFile(`${folder}/samples.raw`, new Uint8Array(count * 784 * 4));
    const model = `${Deno.cwd()}/data/fashion/model.onnx`;
    const args = ["calibrate", "--model", model, "--data", `${folder}/samples.raw`];
    args.push("--input-shape", "1x28x28", "--out", `${folder}/s.plim`, "--quiet");
    const { code, error } = await runCommand(...args, "--batch", String(count));
    assert.equal(code, 1);
    const found =
      /^\nplimsoll: While running the float model on input image \[12000,1,28,28\]: wanted a batch that fits into the runtime's heap of 4 GiB, found no memory left for a batch of 12000: ([\d.]+) MiB a sample, of which 28 watched tensors are ([\d.]+) MiB\. Try --batch (\d+), which changes no result\.\n$/
        .exec(error);
    assert.ok(found, error);
    const [perSample, watched, batch] = found.slice(1).map(Number);
    assert.ok(watched > 1 && perSample >= watched && batch >= 1 && batch <= count / 2, error);
    assert.equal(await Deno.stat(`${folder}/s.plim`).catch(() => undefined), undefined);
    // The same process goes on, with the batch that the message names.
    const again = await runCommand(...args, "--batch", String(batch), "--samples", String(batch));
    assert.equal(again.code, 0, again.error);
  });
});
