/** The report page in a real Chromium, from disk, as a user would open it. */
import assert from "node:assert/strict";
import type { Page } from "puppeteer-core";
import { presetTarget } from "../../../tpc/targets/read_target.ts";
import { quantize } from "../../../pipeline/quantize/quantize.ts";
import { collectReport } from "../../../pipeline/report/page/collect.ts";
import { renderReport } from "../../../pipeline/report/page/render.ts";
import { readPlim } from "../../../pipeline/statistics/plim.ts";
import { ARCHITECTURES } from "../../support/architectures.ts";
import { findChromium, withChromium } from "../../support/chromium.ts";
import { inFolder } from "../../support/cli.ts";
import { demoModel, demoSamples } from "../../support/demo.ts";
import { quantizeArchitecture } from "../../support/quantize_architecture.ts";

const EVIL = `/a"><img src=x onerror="document.title='owned'"></script>&amp;`;

const isMissing = findChromium() === undefined;

/** A report of the demo in which one tensor has a hostile name. */
async function demoReport() {
  const target = presetTarget("default")!;
  const { manifest, statistics } = await quantize(await demoModel(), await demoSamples(16), {
    target,
  });
  const evaluation = (name: string, sqnr: number | null) => ({
    evaluation: {
      ...{
        name,
        samples: 100,
        top1: 0.91,
        top5: 0.99,
        loss: 0.3,
        agreement: 0.99,
        sqnr,
        cosine: 1,
      },
      classes: [],
      outputs: [],
    },
  });
  const data = collectReport({
    title: EVIL,
    manifest,
    statistics: await readPlim(statistics, "statistics.plim"),
    evaluation: [evaluation("float", null), evaluation("mse", 31)],
  });
  const activations = data.activations.map((entry, i) =>
    i === 1 ? { ...entry, tensor: EVIL } : entry
  );
  const remedy = { change: "16 bits", sqnr: 32, agreement: 1, top1: null, override: "{}" };
  return {
    ...data,
    activations,
    diagnosis: {
      ...{ samples: 16, data: "evaluation" as const, output: 31 },
      remedies: [1, 0.01].map((gain) => ({ ...remedy, tensor: activations[3].tensor, gain })),
    },
  };
}

function browserTest(name: string, test: (page: Page) => Promise<void>): void {
  Deno.test({
    name: isMissing ? `${name} (skipped: no Chromium; apt-get install chromium)` : name,
    ignore: isMissing,
    fn: () =>
      inFolder(async (folder) => {
        const report = await demoReport();
        await Deno.writeTextFile(`${folder}/report.html`, renderReport(report));
        await withChromium(async ({ page, faults }) => {
          await page.setViewport({ width: 1440, height: 900 });
          await page.goto(`file://${folder}/report.html`);
          await page.waitForSelector("#distribution svg", { timeout: 10_000 });
          await test(page);
          assert.deepEqual(faults, []);
        });
      }),
  });
}

const heading = (page: Page) => page.$eval("#detail h3", (element) => element.textContent);
const rows = (page: Page) =>
  page.$$eval(".list tbody tr th", (cells) => cells.map((cell) => cell.textContent));

browserTest(
  "the report renders and switches layers by mouse, keyboard, links, address and Back",
  async (page) => {
    const first = await heading(page);
    assert.equal(await page.evaluate("location.hash"), "");
    await page.click(".list tbody tr:nth-child(3)");
    const third = (await rows(page))[2];
    assert.equal(await heading(page), third);
    assert.equal(await page.evaluate("location.hash"), "#a3");
    assert.equal(await page.$eval("tr[aria-current] td", (cell) => cell.textContent), "3");

    await page.focus(".list tbody tr:nth-child(3) a");
    await page.keyboard.press("ArrowDown");
    assert.equal(await heading(page), (await rows(page))[3]);
    await page.keyboard.press("Tab");
    await page.goBack();
    await page.waitForFunction(
      `document.querySelector("#detail h3").textContent === ${JSON.stringify(third)}`,
    );
    await page.evaluate("location.hash = '#w2'");
    await page.waitForFunction(
      `document.querySelector("#detail h3").textContent.includes("weight")`,
    );
    assert.equal(
      await page.$eval("[data-tab=weight]", (tab) => tab.getAttribute("aria-pressed")),
      "true",
    );
    await page.click(".suspects li:first-child a");
    assert.equal(await heading(page), first, "the page opens with the first suspect");
  },
);

browserTest("the list sorts by every column and searches", async (page) => {
  const all = await rows(page);
  const columns = await page.$$eval(".list thead button", (buttons) => buttons.length);
  assert.ok(columns >= 7);
  for (let i = 0; i < columns; i++) {
    await (await page.$$(".list thead button"))[i].click();
    const sorted = await page.$$eval(
      "th[aria-sort]",
      (cells) => cells.map((cell) => cell.getAttribute("aria-sort")),
    );
    assert.equal(sorted.length, 1);
    assert.deepEqual((await rows(page)).toSorted(), all.toSorted());
  }
  const ratios = async () =>
    await page.$$eval(
      "td[data-label=SQNR]",
      (cells) => cells.map((cell) => parseFloat(cell.textContent!)),
    );
  const at = await page.$$eval(
    ".list thead button",
    (buttons) => buttons.findIndex(({ textContent }) => textContent === "SQNR"),
  );
  await (await page.$$(".list thead button"))[at].click();
  const ascending = (await ratios()).filter(Number.isFinite);
  assert.deepEqual(ascending, ascending.toSorted((a, b) => a - b));
  await (await page.$$(".list thead button"))[at].click();
  const descending = (await ratios()).filter(Number.isFinite);
  assert.deepEqual(descending, ascending.toReversed());

  await page.keyboard.press("/");
  await page.keyboard.type("add");
  const found = await rows(page);
  assert.ok(found.length > 0 && found.length < all.length);
  assert.ok(found.every((name) => /add/i.test(name!)), `${found}`);
  await page.keyboard.type(" nothing has this name");
  assert.deepEqual(await rows(page), []);
});

browserTest(
  "charts have thresholds of all methods, both scales, curves, and accessible names",
  async (page) => {
    const labels = () => page.$eval("#distribution svg", (svg) => svg.textContent!);
    await page.evaluate("location.hash = '#a2'");
    await page.waitForFunction("location.hash === '#a2'");
    for (const method of ["mse", "noclipping", "kl"]) {
      assert.match(
        await labels(),
        new RegExp(method),
      );
    }
    assert.doesNotMatch(await labels(), /octav/);
    await page.click("[data-method=octav]");
    assert.match(await labels(), /octav/);
    assert.equal(
      await page.$eval("[data-method=octav]", (button) => button.getAttribute("aria-pressed")),
      "true",
    );

    const before = await page.$eval("#distribution svg", (svg) => svg.innerHTML);
    await page.click("#scale");
    assert.equal(
      await page.$eval("#scale", (button) => button.getAttribute("aria-pressed")),
      "false",
    );
    assert.notEqual(await page.$eval("#distribution svg", (svg) => svg.innerHTML), before);

    assert.ok(
      await page.$eval("#errors svg", (svg) => svg.querySelectorAll("circle").length >= 2),
      "minima are marked",
    );
    for (const figure of ["#overview", "#distribution", "#errors"]) {
      const name = await page.$eval(
        `${figure} svg`,
        (svg) => [svg.getAttribute("aria-label"), svg.getAttribute("aria-description")],
      );
      assert.ok(name.every((text) => text !== null && text.length > 10), `${figure}: ${name}`);
    }
    assert.equal(
      await page.$$eval(
        "button, a",
        (all) => all.filter(({ textContent }) => !textContent?.trim()).length,
      ),
      0,
    );
  },
);

browserTest("remedies that help are listed and lead to their layer", async (page) => {
  assert.equal(await page.$$eval(".remedies tbody tr", (rows) => rows.length), 1);
  await page.click(".remedies tbody button");
  assert.equal(await heading(page), (await rows(page))[3]);
});

browserTest("hostile names are text", async (page) => {
  assert.equal(await page.$eval("h1", (title) => title.textContent), EVIL);
  await page.click(".list tbody tr:nth-child(2)");
  assert.equal(await heading(page), EVIL);
  assert.equal(await page.$$eval("img", (images) => images.length), 0);
  assert.notEqual(await page.title(), "owned");
});

browserTest("it fits a phone, the dark and paper, and opens in a second", async (page) => {
  await page.setViewport({ width: 390, height: 844, isMobile: true });
  await page.reload();
  await page.waitForSelector("#distribution svg");
  assert.equal(await page.evaluate("document.documentElement.scrollWidth"), 390);
  const opened = await page.evaluate(
    "performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd",
  ) as number;
  assert.ok(opened < 1000, `${opened} ms`);
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: "dark" }]);
  assert.equal(
    await page.evaluate("getComputedStyle(document.body).backgroundColor"),
    "rgb(16, 21, 27)",
  );
  const paper = await page.pdf({ format: "a4" });
  assert.ok(paper.length > 50_000, `${paper.length} bytes`);
});

Deno.test({
  name: isMissing
    ? "reports of all architectures open at every row (skipped: no Chromium)"
    : "reports of all architectures open at every row",
  ignore: isMissing,
  fn: () =>
    inFolder((folder) =>
      withChromium(async ({ page, faults }) => {
        await page.setViewport({ width: 1200, height: 900 });
        for (const [name, make] of Object.entries(ARCHITECTURES)) {
          // TFLite's fixed grids and float islands are in the second one.
          for (const target of name === "transformer block" ? ["default", "tflite"] : ["default"]) {
            const { manifest, statistics } = await quantizeArchitecture(make(), target);
            const data = collectReport({
              ...{ title: name, manifest },
              statistics: await readPlim(statistics, "statistics.plim"),
            });
            await Deno.writeTextFile(`${folder}/report.html`, renderReport(data));
            await page.goto(`file://${folder}/report.html`);
            await page.waitForSelector("#detail h3");
            const opened = await page.evaluate(OPEN_ALL);
            const { activations, weights, float } = data;
            assert.equal(opened, activations.length + weights.length + float.length, name);
            assert.deepEqual(faults, [], `${name} for ${target}`);
          }
        }
      })
    ),
});

/** Clicks every row of every list. */
const OPEN_ALL = `(() => {
  let count = 0;
  for (const kind of ["activation", "weight", "float"]) {
    document.querySelector("[data-tab=" + kind + "]").click();
    for (const row of document.querySelectorAll(".list tbody tr")) {
      row.click();
      count++;
    }
  }
  return count;
})()`;
