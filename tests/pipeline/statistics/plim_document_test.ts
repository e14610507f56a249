/** docs/plim.md says enough for another language: its Python reader finds what ours does. */
import assert from "node:assert/strict";
import { UNIT } from "../../../pipeline/statistics/channel_sums.ts";
import { toNumber } from "../../../pipeline/statistics/dyadic.ts";
import { viewOf } from "../../../pipeline/statistics/tensor_view.ts";
import { readPlim } from "../../../pipeline/statistics/plim.ts";
import { runCommand } from "../../support/cli.ts";
import { CALIBRATION, DEMO_MODEL } from "../../support/demo.ts";
import { toVersion3 } from "../../support/plim_3.ts";

/** What docs/read_plim.py prints of a file. */
// deno-lint-ignore no-explicit-any
async function readInPython(file: string): Promise<any> {
  const { success, stdout, stderr } = await new Deno.Command("python3", {
    args: ["docs/read_plim.py", file],
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

const hasPython = await new Deno.Command("python3", { args: ["--version"] }).output()
  .then(({ success }) => success, () => false);

Deno.test({
  name: `docs/read_plim.py reads what we write${hasPython ? "" : " (skipped: no Python)"}`,
  ignore: !hasPython,
  fn: async () => {
    const folder = await Deno.makeTempDir();
    try {
      const file = `${folder}/s.plim`;
      const { code, error } = await runCommand(
        ...["calibrate", "--model", DEMO_MODEL, "--data", CALIBRATION, "--samples", "20"],
        ...["--error", "auto", "--out", file, "--quiet"],
      );
      assert.equal(code, 0, error);
      const found = await readInPython(file);
      const { data, tensors, channels } = await readPlim(await Deno.readFile(file), file);
      assert.equal(found.data.samples, data.samples);
      assert.deepEqual(found.data.sources[0].edges, data.sources[0].ranges.flat());
      for (const { tensor, histogram } of tensors) {
        const { sum, squares } = viewOf(histogram).exact;
        assert.deepEqual(found.tensors[tensor], { sum: toNumber(sum), squares: toNumber(squares) });
      }
      assert.ok(channels.length > 20);
      for (const { tensor, sums, squares } of channels) {
        const total = (all: readonly bigint[]) => Number(all.reduce((a, b) => a + b)) * UNIT;
        assert.deepEqual(found.channels[tensor], { sum: total(sums!), squares: total(squares!) });
      }
      await Deno.writeFile(file, await toVersion3(await Deno.readFile(file)));
      assert.deepEqual(await readInPython(file), found);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
