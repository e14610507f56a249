/**
 * Draws the README's picture from the demo's own results: `deno task quantize`, then
 * `deno task build:pictures`. A development tool.
 *
 * @module
 */
import { distributionSvg } from "../pipeline/report/distribution_svg.ts";
import { searchThreshold } from "../pipeline/search/search_threshold.ts";
import { readPlim } from "../pipeline/statistics/plim.ts";
import { presetTarget } from "../tpc/targets/read_target.ts";

const TENSOR = "/features/features.3/Add_output_0";

if (import.meta.main) {
  const file = "out/statistics.plim";
  const { tensors, data } = await readPlim(await Deno.readFile(file), file);
  const { histogram } = tensors.find(({ tensor }) => tensor === TENSOR)!;
  const { activation } = presetTarget("default")!;
  const search = (error: "mse" | "noclipping") =>
    searchThreshold(histogram, { ...activation, error });
  const [mse, range] = [search("mse"), search("noclipping")];
  const svg = distributionSvg(histogram, {
    title: `${TENSOR}: ${
      histogram.finite.toLocaleString("en")
    } activations of ${data.samples} images`,
    signed: mse.signed,
    thresholds: [
      { threshold: range.threshold, label: `NOCLIPPING ${range.threshold}`, color: "#9a6700" },
      { threshold: mse.threshold, label: `MSE ${mse.threshold}`, color: "#cf222e" },
    ],
  });
  await Deno.writeTextFile(new URL("threshold.svg", import.meta.url), svg);
}
