/**
 * Draws the pictures of README and tutorial with the tool itself, from the demo: runs `quantize`, draws its statistics
 * and photographs its report and the browser page in Chromium. `deno task build:pictures`, a minute. A development tool.
 *
 * @module
 */
import { BROWSER_FOLDER, buildBrowser } from "../build/browser.ts";
import { distributionSvg } from "./distribution_svg.ts";
import { searchThreshold } from "../pipeline/search/search_threshold.ts";
import { readPlim } from "../pipeline/statistics/plim.ts";
import { serveFolder } from "../tests/support/serve_folder.ts";
import { withChromium } from "../tests/support/chromium.ts";
import { presetTarget } from "../tpc/targets/read_target.ts";

/** Tensors that the tutorial looks at. */
const TENSORS = {
  "threshold.svg": "/features/features.3/Add_output_0",
  "relu6.svg": "/features/features.2/body/body.0/body.0.2/Clip_output_0",
};

async function quantizeDemo(): Promise<string> {
  const out = await Deno.makeTempDir({ prefix: "plimsoll-pictures-" });
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "main.ts", "quantize", "--diagnose", "--out", out],
    cwd: new URL("../", import.meta.url),
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return out;
}

async function drawDistributions(out: string): Promise<void> {
  const { tensors, data } = await readPlim(await Deno.readFile(`${out}/statistics.plim`), out);
  const { activation } = presetTarget("default")!;
  for (const [name, tensor] of Object.entries(TENSORS)) {
    const { histogram } = tensors.find((entry) => entry.tensor === tensor)!;
    const search = (error: "mse" | "noclipping") =>
      searchThreshold(histogram, { ...activation, error });
    const [mse, range] = [search("mse"), search("noclipping")];
    const svg = distributionSvg(histogram, {
      title: `${tensor}: ${
        histogram.finite.toLocaleString("en")
      } activations of ${data.samples} images`,
      signed: mse.signed,
      thresholds: [
        { threshold: range.threshold, label: `NOCLIPPING ${range.threshold}`, color: "#9a6700" },
        { threshold: mse.threshold, label: `MSE ${mse.threshold}`, color: "#cf222e" },
      ],
    });
    await Deno.writeTextFile(new URL(name, import.meta.url), svg);
  }
}

/** The report as it opens, at the layer of the first picture, and the page while thresholds move. */
async function photograph(out: string): Promise<void> {
  await buildBrowser();
  const server = serveFolder(BROWSER_FOLDER);
  try {
    await withChromium(async ({ page }) => {
      const shoot = async (name: string) =>
        await Deno.writeFile(new URL(name, import.meta.url), await page.screenshot());
      await page.setViewport({ width: 1280, height: 860 });
      await page.goto(`file://${out}/report.html`);
      await page.waitForSelector("#distribution svg");
      await shoot("report.png");
      await page.setViewport({ width: 1280, height: 1040 });
      await page.goto(`file://${out}/report.html#a12`);
      await page.reload();
      await page.waitForSelector("#distribution svg");
      await page.evaluate("document.querySelector('.columns').scrollIntoView()");
      await shoot("report-layer.png");
      await page.setViewport({ width: 1280, height: 720 });
      await page.goto(server.address);
      await page.waitForSelector("#demo");
      await page.click("#demo");
      await page.waitForFunction("!document.querySelector('#start').disabled");
      await page.click("#start");
      await page.waitForFunction("document.querySelector('progress')?.value > 400");
      await shoot("browser.png");
    });
  } finally {
    await server.close();
  }
}

if (import.meta.main) {
  const out = await quantizeDemo();
  await drawDistributions(out);
  await photograph(out);
  await Deno.remove(out, { recursive: true });
}
