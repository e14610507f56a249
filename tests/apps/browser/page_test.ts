/** The page that quantizes in a browser, end to end in a real Chromium, against the command line's bytes. */
/// <reference lib="dom" />
import { Buffer } from "node:buffer";
import assert from "node:assert/strict";
import type { Page } from "puppeteer-core";
import { BROWSER_FOLDER, buildBrowser } from "../../../build/browser.ts";
import { type CostsFile, parseCosts } from "../../../pipeline/plan/costs_file.ts";
import { findChromium, type OpenPage, withChromium } from "../../support/chromium.ts";
import { inFolder, runCommand } from "../../support/cli.ts";
import { withoutRun } from "../../support/without_run.ts";
import { serveDeno } from "../../support/servers.ts";
import { serveFolder } from "../../support/serve_folder.ts";
import { CALIBRATION, DEMO_MODEL } from "../../support/demo.ts";

const isMissing = findChromium() === undefined;
/** Images in many formats, which the image core is tested with. */
const IMAGES = "tests/wasm/image/images";
const FILES = ["model.onnx", "manifest.json", "statistics.plim", "report.html"];

function browserTest(
  name: string,
  test: (open: OpenPage & { folder: string }) => Promise<void>,
): void {
  Deno.test({
    name: isMissing ? `${name} (skipped: no Chromium; apt-get install chromium)` : name,
    ignore: isMissing,
    sanitizeResources: false,
    sanitizeOps: false,
    fn: async () => {
      await buildBrowser();
      const server = serveFolder(BROWSER_FOLDER);
      try {
        await inFolder((folder) =>
          withChromium(async (open) => {
            await open.page.setViewport({ width: 1280, height: 900 });
            await open.page.goto(server.address);
            await open.page.waitForSelector("#start");
            await test({ ...open, folder });
            assert.deepEqual(open.faults, []);
          })
        );
      } finally {
        await server.close();
      }
    },
  });
}

const output = (page: Page) => page.$eval("#output", (element) => element.textContent ?? "");

async function setSamples(page: Page, count: number): Promise<void> {
  await page.$eval("#samples", (input, value) => {
    (input as HTMLInputElement).value = value;
  }, String(count));
}

/** Clicks every link to a file and waits until it is there as a whole. */
async function download({ page }: OpenPage, folder: string, names = FILES): Promise<void> {
  const session = await page.createCDPSession();
  await session.send("Browser.setDownloadBehavior", { behavior: "allow", downloadPath: folder });
  for (const name of names) {
    await page.$eval(`a[download="${name}"]`, (link) => (link as HTMLAnchorElement).click());
    for (let i = 0; i < 100; i++) {
      const files = Array.from(Deno.readDirSync(folder), (entry) => entry.name);
      if (files.includes(name) && !files.some((file) => file.endsWith(".crdownload"))) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** What the page made, in the folder, against what the command line made, in `cli` below it. */
function assertSameFiles(folder: string): void {
  for (const name of FILES) {
    const [here, there] = [`${folder}/${name}`, `${folder}/cli/${name}`].map((path) =>
      Buffer.from(withoutRun(path))
    );
    assert.ok(here.length > 1000 && Buffer.compare(here, there) === 0, name);
  }
}

async function finish(page: Page): Promise<void> {
  await page.waitForSelector("iframe, [role=alert]", { timeout: 60_000 });
  assert.equal(await page.$("[role=alert]"), null, await output(page));
}

browserTest(
  "the demo in the page gives the files of the command line, byte for byte, and its report",
  async (open) => {
    const { page, folder } = open;
    await page.click("#demo");
    await page.waitForFunction("!document.querySelector('#start').disabled");
    await setSamples(page, 48);
    await page.$eval("#batch", (input) => void ((input as HTMLInputElement).value = "8"));
    await page.click("#start");
    await page.waitForSelector(".moving:not([hidden]) tbody tr", { timeout: 30_000 });
    assert.match(await output(page), /of 28 thresholds moved/);
    await finish(page);
    assert.match(await output(page), /29 activations and 23 weight tensors .* from 48 samples/);

    const report = await (await page.$("iframe"))!.contentFrame();
    await report.waitForSelector("#distribution svg");
    await report.evaluate("document.querySelector('.list tbody tr:nth-child(4)').click()");
    assert.equal(
      await report.$eval("#detail .note", (note) => note.textContent),
      "Activation 4 of 29",
    );

    const command = await runCommand(
      ...["quantize", "--model", DEMO_MODEL, "--data", CALIBRATION, "--samples", "48"],
      ...["--out", `${folder}/cli`],
    );
    assert.equal(command.code, 0, command.error);
    await download(open, folder);
    assertSameFiles(folder);
  },
);

browserTest("a folder and other settings give the command line's bytes, too", async (open) => {
  const { page, folder } = open;
  await Deno.mkdir(`${folder}/photos/inside`, { recursive: true });
  const images = Array.from(Deno.readDirSync(IMAGES), ({ name }) => name)
    .filter((name) => /(grey|420)\d*\.(png|jpg)$/.test(name));
  for (const name of images) {
    await Deno.copyFile(`${IMAGES}/${name}`, `${folder}/photos/inside/${name}`);
  }
  await (await page.$("#model") as unknown as { uploadFile(...paths: string[]): Promise<void> })
    .uploadFile(DEMO_MODEL);
  await (await page.$("#folder") as unknown as { uploadFile(...paths: string[]): Promise<void> })
    .uploadFile(`${folder}/photos`);
  const preprocess = { resize: { width: 28, height: 28 }, grayscale: true, mean: 0.5, std: 0.25 };
  await page.evaluate((text) => {
    (document.querySelector("#preprocess") as HTMLTextAreaElement).value = text;
    (document.querySelector("#target") as HTMLSelectElement).value = "onnxruntime";
    (document.querySelector("#error") as HTMLSelectElement).value = "mae";
  }, JSON.stringify(preprocess));
  await page.waitForFunction("!document.querySelector('#start').disabled");
  await page.click("#start");
  await finish(page);
  await Deno.writeTextFile(`${folder}/p.json`, JSON.stringify(preprocess));
  const command = await runCommand(
    ...["quantize", "--model", DEMO_MODEL, "--data", `${folder}/photos`, "--target", "onnxruntime"],
    ...["--error", "mae", "--preprocess", `${folder}/p.json`, "--out", `${folder}/cli`],
  );
  assert.equal(command.code, 0, command.error);
  await download(open, folder);
  assertSameFiles(folder);
});

/** Takes the demo's files for a target and measures times; costs.json, checked by its schema. */
async function profileDemo(open: OpenPage, folder: string): Promise<CostsFile> {
  const { page } = open;
  await page.click("#demo");
  await page.waitForFunction("!document.querySelector('#profile').disabled");
  await page.$eval(
    "#target",
    (list) => void ((list as HTMLSelectElement).value = "onnxruntime-web"),
  );
  await page.click("#profile");
  await page.waitForSelector("a.save, [role=alert]", { timeout: 120_000 });
  assert.equal(await page.$("[role=alert]"), null, await output(page));
  assert.match(await output(page), /Times of this browser.*units of the model/);
  assert.match(await page.$eval("pre", (table) => table.textContent!), /onnxruntime-web, \d+ runs/);
  assert.equal(await page.$("iframe"), null);
  await download(open, folder, ["costs.json"]);
  return parseCosts(JSON.parse(await Deno.readTextFile(`${folder}/costs.json`)), "costs.json");
}

/** Fails unless costs are those of the demo as a runtime takes it. */
function checkCosts({ units, float, integer, quantize, dequantize }: CostsFile): void {
  assert.ok(units.length > 20, `${units.length} units`);
  const sum = units.reduce((sum, unit) => sum + unit.float, 0);
  assert.ok(sum > 0.5 * float && sum <= float * (1 + 1e-9), `${sum} of ${float} ns`);
  assert.ok(integer > 0 && quantize > 0 && dequantize > 0);
  // Nearly all take more than nothing; what is merged into others takes none.
  assert.ok(units.filter((unit) => unit.float > 0 && unit.integer > 0).length > units.length * 0.7);
}

browserTest(
  "times of the chosen model are measured in the page, also by its coarse clock, for plans",
  async (open) => {
    const { page, folder } = open;
    assert.equal(await page.evaluate("crossOriginIsolated"), false);
    const costs = await profileDemo(open, folder);
    assert.equal(costs.runs, 120, "a clock of 100 µs wants many runs");
    checkCosts(costs);
    const planned = await runCommand(
      ...["quantize", "--model", DEMO_MODEL, "--data", CALIBRATION, "--samples", "8"],
      ...[
        "--target",
        "onnxruntime-web",
        "--costs",
        `${folder}/costs.json`,
        "--plan-seconds",
        "0.1",
      ],
      ...["--out", `${folder}/planned`],
    );
    assert.equal(planned.code, 0, planned.error);
    // The page goes on with something else.
    await setSamples(page, 8);
    await page.click("#start");
    await finish(page);
  },
);

browserTest("cancelling ends the work at once, and another run works", async ({ page }) => {
  await page.click("#demo");
  await page.waitForFunction("!document.querySelector('#start').disabled");
  await page.click("#start");
  await page.waitForSelector(".moving:not([hidden])", { timeout: 30_000 });
  await page.click("#cancel");
  assert.match(await output(page), /Cancelled/);
  await setSamples(page, 8);
  await page.click("#start");
  await finish(page);
});

browserTest(
  "errors are shown as the command line tells them, and don't end the page",
  async ({ page, folder }) => {
    await Deno.writeTextFile(`${folder}/broken.onnx`, "not a model");
    await page.click("#demo");
    await page.waitForFunction("!document.querySelector('#start').disabled");
    const model = await page.$("#model") as unknown as { uploadFile(path: string): Promise<void> };
    await model.uploadFile(`${folder}/broken.onnx`);
    await page.waitForFunction(
      "document.querySelector('.facts').textContent.includes('broken.onnx')",
    );
    await page.click("#start");
    await page.waitForSelector("[role=alert]", { timeout: 30_000 });
    const message = await output(page);
    assert.match(message, /broken\.onnx/);
    assert.doesNotMatch(message, /defect/);
    await model.uploadFile(DEMO_MODEL);
    await setSamples(page, 8);
    await page.$eval("#preprocess", (area) => void ((area as HTMLTextAreaElement).value = "{"));
    await page.click("#start");
    await page.waitForSelector("[role=alert]", { timeout: 30_000 });
    assert.match(await output(page), /preprocessing/);
  },
);

browserTest("dropped folders are read with all that is in them", async ({ page }) => {
  const names = await page.evaluate(async () => {
    const file = (name: string) => ({
      isFile: true,
      name,
      file: (resolve: (file: File) => void) => resolve(new File(["x"], name)),
    });
    const folder = (name: string, inside: unknown[]) => ({
      isFile: false,
      name,
      createReader: () => {
        const batches = [inside.slice(0, 1), inside.slice(1), []];
        return {
          readEntries: (resolve: (entries: unknown[]) => void) => resolve(batches.shift()!),
        };
      },
    });
    const entries = [
      file("m.onnx"),
      file("m.onnx.data"),
      folder("photos", [file("b.png"), folder("more", [file("a.jpg")])]),
    ];
    const event = new Event("drop", { bubbles: true, cancelable: true });
    Object.defineProperty(event, "dataTransfer", {
      value: { items: entries.map((entry) => ({ webkitGetAsEntry: () => entry })) },
    });
    document.querySelector(".drop")!.dispatchEvent(event);
    await new Promise((resolve) => setTimeout(resolve, 200));
    return document.querySelector(".facts")!.textContent;
  });
  assert.match(names!, /m\.onnx, with m\.onnx\.data/);
  assert.match(names!, /photos\/, 2 files/);
});

browserTest("the page fits a phone and follows the dark", async ({ page }) => {
  await page.setViewport({ width: 390, height: 844, isMobile: true });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: "dark" }]);
  assert.equal(await page.evaluate("document.documentElement.scrollWidth"), 390);
  assert.equal(
    await page.evaluate("getComputedStyle(document.body).backgroundColor"),
    "rgb(16, 21, 27)",
  );
  const unnamed = await page.$$eval(
    "input, select, textarea, button",
    (controls) =>
      controls.filter((control) =>
        !(control as HTMLInputElement).labels?.length && !control.textContent?.trim() &&
        !control.ariaLabel
      ).map(({ id }) => id),
  );
  assert.deepEqual(unnamed, []);
});

Deno.test({
  name: isMissing
    ? "deno serve shows the page (skipped: no Chromium)"
    : "deno serve shows the page",
  ignore: isMissing,
  sanitizeResources: false,
  sanitizeOps: false,
  fn: async () => {
    await buildBrowser();
    await using server = await serveDeno();
    await withChromium(async ({ browser, page, pid, faults }) => {
      await page.goto(server.url);
      await page.click("#demo");
      await page.waitForFunction("!document.querySelector('#start').disabled");
      await setSamples(page, 8);
      await page.click("#start");
      await finish(page);
      const report = await (await page.$("iframe"))!.contentFrame();
      await report.waitForSelector("#distribution svg");
      // Alone in its process, so that its clock is a fine one.
      assert.equal(await page.evaluate("crossOriginIsolated"), true);
      await inFolder(async (folder) => {
        const costs = await profileDemo({ browser, page, pid, faults }, folder);
        assert.equal(costs.runs, 15);
        checkCosts(costs);
      });
      assert.deepEqual(faults, []);
    });
    // The rest of the folder, and of the disk, is the handler's: it knows none of it.
    for (const path of [".stamp", "demo/../.stamp", "%2e%2e/%2e%2e/deno.json", "toString"]) {
      const response = await fetch(`${server.url}${path}`);
      assert.equal(response.status, 404, path);
      assert.match(response.headers.get("content-type")!, /problem\+json/);
      await response.body?.cancel();
    }
  },
});
