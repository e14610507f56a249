/** Requests with the demo, for handlers and servers. */
import assert from "node:assert/strict";
import { CALIBRATION, DEMO_MODEL } from "./demo.ts";

export const DEMO_FOLDER = "data/fashion";
/** Samples of the demo that tests of hosts calibrate with. */
export const SAMPLES = 64;

/** Options that make a request what the command line does with the demo. */
export async function demoOptions(more: Record<string, string> = {}): Promise<URLSearchParams> {
  const { size } = await Deno.stat(CALIBRATION);
  return new URLSearchParams({
    samples: String(SAMPLES),
    "samples-bytes": String(size),
    preprocess: await Deno.readTextFile(`${DEMO_FOLDER}/preprocess.json`),
    ...more,
  });
}

/** Arguments that quantize the demo without evaluating it, which takes most of the time. */
export function quantizeDemo(out: string, samples = SAMPLES): string[] {
  const root = `${Deno.cwd()}/`;
  return [
    ...["quantize", "--model", root + DEMO_MODEL, "--data", root + CALIBRATION],
    ...["--samples", String(samples), "--out", out, "--quiet"],
  ];
}

/** A form of files: contents, or paths. */
export async function form(
  parts: Readonly<Record<string, string | Uint8Array<ArrayBuffer>>>,
): Promise<FormData> {
  const data = new FormData();
  for (const [name, content] of Object.entries(parts)) {
    const bytes = typeof content === "string" ? await Deno.readFile(content) : content;
    data.append(name, new Blob([bytes]), name);
  }
  return data;
}

/** The demo's model and samples. */
export async function demoForm(): Promise<FormData> {
  return await form({ model: DEMO_MODEL, samples: CALIBRATION });
}

/** Bytes of a good answer. */
export async function bytesOf(response: Response): Promise<Uint8Array> {
  assert.equal(response.status, 200, response.ok ? "" : await response.clone().text());
  return new Uint8Array(await response.arrayBuffer());
}

/** A problem, after the checks that hold for all of them. */
export async function problemOf(response: Response): Promise<{ type: string; detail: string }> {
  const text = await response.text();
  assert.equal(response.headers.get("content-type"), "application/problem+json", text);
  const problem = JSON.parse(text);
  assert.equal(problem.status, response.status);
  assert.match(problem.type, /^urn:plimsoll:problem:/);
  // Places of this machine are nobody's business.
  assert.doesNotMatch(text, new RegExp(`${Deno.cwd()}|file:|/root|node_modules`));
  return problem;
}
