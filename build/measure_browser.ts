/**
 * Quantizes the demo in the page, in a real Chromium, and measures it. A development tool.
 *
 * @module
 */
import { serveFolder } from "../tests/support/serve_folder.ts";
import { withChromium } from "../tests/support/chromium.ts";
import { BROWSER_FOLDER, buildBrowser } from "./browser.ts";

/** What was measured. */
export interface BrowserRun {
  /** The statistics file that the page made. */
  readonly bytes: Uint8Array;
  /** Seconds from the address to a page that can be used. */
  readonly start: number;
  /** Seconds from the click to files, the report among them. */
  readonly work: number;
  /** Most memory of the process that has page and worker. */
  readonly peakBytes: number;
}

/** Runs the demo once. */
export async function measureBrowser(): Promise<BrowserRun> {
  await buildBrowser();
  const server = serveFolder(BROWSER_FOLDER);
  let measured: BrowserRun | undefined;
  try {
    await withChromium(async ({ page, pid }) => {
      const opened = performance.now();
      await page.goto(server.address);
      await page.waitForSelector("#demo");
      const start = (performance.now() - opened) / 1000;
      await page.click("#demo");
      await page.waitForFunction("!document.querySelector('#start').disabled");
      const started = performance.now();
      await page.click("#start");
      await page.waitForSelector("iframe", { timeout: 120_000 });
      const work = (performance.now() - started) / 1000;
      // The page's policy keeps it from reading what it made; the frame's address is enough for a link.
      const folder = await Deno.makeTempDir({ prefix: "plimsoll-page-" });
      const session = await page.createCDPSession();
      await session.send("Browser.setDownloadBehavior", {
        behavior: "allow",
        downloadPath: folder,
      });
      await page.click('a[download="statistics.plim"]');
      let bytes: Uint8Array | undefined;
      while (bytes === undefined) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        bytes = await Deno.readFile(`${folder}/statistics.plim`).catch(() => undefined);
      }
      await Deno.remove(folder, { recursive: true });
      measured = { bytes, start, work, peakBytes: await peakOfRenderers(pid) };
    });
  } finally {
    await server.close();
  }
  return measured!;
}

/** Most memory that a renderer below the browser has had. Linux only. */
async function peakOfRenderers(browser: number): Promise<number> {
  let peak = 0;
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const read = (file: string) => Deno.readTextFile(`/proc/${name}/${file}`).catch(() => "");
    const [command, status] = [await read("cmdline"), await read("status")];
    if (!command.includes("--type=renderer")) continue;
    // Renderers are children of the browser's zygote, which has the browser as parent.
    const isOurs = await isBelow(Number(name), browser);
    if (isOurs) peak = Math.max(peak, 1024 * Number(/VmHWM:\s*(\d+)/.exec(status)?.[1] ?? 0));
  }
  return peak;
}

async function isBelow(pid: number, ancestor: number): Promise<boolean> {
  while (pid > 1) {
    if (pid === ancestor) return true;
    const status = await Deno.readTextFile(`/proc/${pid}/status`).catch(() => "");
    pid = Number(/PPid:\s*(\d+)/.exec(status)?.[1] ?? 0);
  }
  return false;
}
