/** The real onnxruntime.quantization reads what is exported, where Python has it. */
import assert from "node:assert/strict";
import { withQuantizedOutputs } from "../../support/quantized_outputs.ts";
import { decide } from "../../../pipeline/search/decide.ts";
import { quantize } from "../../../pipeline/quantize/quantize.ts";
import { readPlim } from "../../../pipeline/statistics/plim.ts";
import { EXPORTERS } from "../../../tpc/exporters/exporters.ts";
import { innerTensors } from "../../../tpc/exporters/inner_tensors.ts";
import { writeModel } from "../../../onnx/file/model.ts";
import { presetTarget } from "../../../tpc/targets/read_target.ts";
import { demoModel, demoSamples } from "../../support/demo.ts";

const SCRIPT = new URL("quantize_with_onnxruntime.py", import.meta.url).pathname;
type Quantized = Record<string, [number[], number[]]>;

async function python(...args: string[]): Promise<{ success: boolean; text: string }> {
  try {
    const { success, stdout, stderr } = await new Deno.Command("python3", { args }).output();
    const decoder = new TextDecoder();
    return { success, text: success ? decoder.decode(stdout) : decoder.decode(stderr) };
  } catch (error) {
    return { success: false, text: String(error) };
  }
}

const found = await python(
  "-c",
  "import onnx, onnxruntime.quantization.calibrate as c; c.load_tensors_data",
);
const name = "onnxruntime.quantization takes every scale and zero point from the exported files";
const skipped = `${name} (skipped: python3 has no onnxruntime 1.30 with onnx)`;

Deno.test({ name: found.success ? name : skipped, ignore: !found.success, fn: run });

async function run(): Promise<void> {
  // ONNX Runtime wants a scale for every output.
  const target = withQuantizedOutputs(presetTarget("default")!);
  const float = await demoModel();
  const first = await quantize(float, await demoSamples(16), { target });
  const uniform = await decide({
    statistics: await readPlim(first.statistics, "s.plim"),
    statisticsSha256: first.manifest.statistics.sha256,
    target: { ...target, activation: { ...target.activation, constraint: "uniform" } },
    model: float.prepared,
  });
  for (const manifest of [first.manifest, uniform]) {
    const inner = innerTensors(manifest.activations, float.prepared.graph);
    const decisions = { ...manifest, inner };
    const folder = await Deno.makeTempDir();
    try {
      await Deno.writeFile(`${folder}/float.onnx`, writeModel(float.prepared));
      const cache = EXPORTERS["ort-cache"].write(decisions).text;
      await Deno.writeTextFile(`${folder}/cache.json`, cache);
      const overrides = EXPORTERS["ort-overrides"].write(decisions).text;
      await Deno.writeTextFile(`${folder}/overrides.json`, overrides);
      const { success, text } = await python(SCRIPT, folder);
      assert.ok(success, text);
      const { cache: byRange, both } = JSON.parse(text.trim().split("\n").at(-1)!) as Record<
        string,
        Quantized
      >;
      for (const { tensor, scale, zeroPoint, sameAs } of manifest.activations) {
        // ONNX Runtime names the scale after the tensor whose quantization is kept.
        if (sameAs !== undefined) continue;
        assert.deepEqual(both[tensor], [[scale], [zeroPoint]], tensor);
        const [[s], zero] = byRange[tensor];
        assert.deepEqual(zero, [zeroPoint], tensor);
        assert.ok(Math.abs(s - scale) <= scale * 2 ** -22, tensor);
      }
      for (const { tensor, steps } of manifest.weights) {
        assert.deepEqual(both[tensor], [steps!.scales, steps!.scales.map(() => 0)], tensor);
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  }
}
