/** A real Chromium, driven by puppeteer-core; tests that need it are skipped where it isn't installed. */
import puppeteer, { type Browser, type Page } from "puppeteer-core";

const NAMES = ["chromium", "chromium-browser", "google-chrome"];
/** What a browser needs on a machine without screen, sandbox or network. */
const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--remote-debugging-port=0",
];

/** Path of an installed Chromium. */
export function findChromium(): string | undefined {
  for (const folder of (Deno.env.get("PATH") ?? "").split(":")) {
    for (const name of NAMES) {
      try {
        if (Deno.statSync(`${folder}/${name}`).isFile) return `${folder}/${name}`;
      } catch {
        // Not there: the next one.
      }
    }
  }
}

/** What to do with a page; `faults` collects console errors, uncaught exceptions and requests that leave the machine. */
export interface OpenPage {
  readonly browser: Browser;
  readonly page: Page;
  /** Of the browser's own process. */
  readonly pid: number;
  readonly faults: string[];
}

/** Starts a browser with a profile of its own, runs `use`, and cleans up whatever happens. */
export async function withChromium(use: (open: OpenPage) => Promise<void>): Promise<void> {
  const profile = await Deno.makeTempDir({ prefix: "plimsoll-chromium-" });
  const child = new Deno.Command(findChromium()!, {
    args: [...FLAGS, `--user-data-dir=${profile}`, "about:blank"],
    stdout: "null",
    stderr: "piped",
  }).spawn();
  try {
    const browser = await puppeteer.connect({ browserWSEndpoint: await endpoint(child.stderr) });
    const page = await browser.newPage();
    const faults: string[] = [];
    page.on("console", (message) => {
      if (message.type() === "error") faults.push(message.text());
    });
    page.on("pageerror", (error) => faults.push(String(error)));
    page.on("request", (request) => {
      if (!/^(file|data|blob):|^https?:\/\/(localhost|127\.0\.0\.1)[:/]/.test(request.url())) {
        faults.push(`asked for ${request.url()}`);
      }
    });
    try {
      await use({ browser, page, pid: child.pid, faults });
    } finally {
      await browser.disconnect();
    }
  } finally {
    try {
      child.kill("SIGKILL");
    } catch {
      // Gone already.
    }
    await child.status;
    await Deno.remove(profile, { recursive: true }).catch(() => {});
  }
}

/** The address that Chromium prints once it listens; the rest of what it prints is read and dropped. */
async function endpoint(stderr: ReadableStream<Uint8Array>): Promise<string> {
  const reader = stderr.getReader();
  const decoder = new TextDecoder();
  let seen = "";
  while (true) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`Chromium ended before it listened:\n${seen}`);
    seen += decoder.decode(value, { stream: true });
    const match = /DevTools listening on (ws:\S+)/.exec(seen);
    if (match === null) continue;
    (async () => {
      while (!(await reader.read()).done);
    })().catch(() => {});
    return match[1];
  }
}
