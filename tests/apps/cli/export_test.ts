/** `export` as its user sees it. */
import assert from "node:assert/strict";
import { EXPORT_FORMATS } from "../../../tpc/exporters/exporters.ts";
import { readModel } from "../../../onnx/file/model.ts";
import { inFolder, runCommand } from "../../support/cli.ts";
import { DEMO_MODEL } from "../../support/demo.ts";

Deno.test("export writes every format and says what it can't hold", () =>
  inFolder(async (folder) => {
    const manifest = `${folder}/m.json`;
    const statistics = `${folder}/s.plim`;
    await runCommand("calibrate", "--samples", "8", "--out", statistics, "--quiet");
    await runCommand("search", "--statistics", statistics, "--out", manifest);
    const base = ["export", "--manifest", manifest];
    for (const format of EXPORT_FORMATS) {
      const file = `${folder}/${format}`;
      const bare = await runCommand(...base, "--format", format, "--out", file, "--quiet");
      assert.equal(bare.code, 0, bare.error);
      assert.equal(bare.out, `Wrote ${file}\n`);
      assert.match(bare.error, /^(note: [^\n]+\n)+$/, `${format}: ${bare.error}`);
      const prepared = `${folder}/${format}.onnx`;
      const whole = await runCommand(
        ...[...base, "--format", format, "--out", file, "--json"],
        ...["--model", DEMO_MODEL, "--prepared", prepared],
      );
      assert.deepEqual([whole.code, whole.error], [0, ""]);
      const { files, notes } = JSON.parse(whole.out);
      assert.deepEqual(files, [prepared, file]);
      assert.ok(!notes.some((note: string) => /no weight steps/.test(note)), notes.join("\n"));
      assert.ok(Deno.statSync(file).size > 1000);
      const { graph } = readModel(Deno.readFileSync(prepared), prepared);
      assert.ok(graph.node.every(({ opType }) => opType !== "BatchNormalization"));
    }
  }));

Deno.test("export --help lists every format", async () => {
  const { code, out } = await runCommand("export", "--help");
  assert.equal(code, 0);
  for (const format of EXPORT_FORMATS) assert.match(out, new RegExp(`^ {2}${format} `, "m"));
  assert.match(out, /Examples:\n {2}deno task export/);
});

for (
  const [args, message] of [
    [["--format", "caffe"], /Allowed choices are ort-cache, ort-overrides, tensorrt/],
    [[], /required option '--format <name>' not specified/],
    [["--format", "ncnn", "--prepared", "p.onnx"], /found no --model/],
  ] as [string[], RegExp][]
) {
  Deno.test(`plimsoll export ${args.join(" ")} is bad usage`, async () => {
    const { code, error } = await runCommand("export", ...args);
    assert.equal(code, 2);
    assert.match(error, message);
  });
}
