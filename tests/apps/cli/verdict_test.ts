/** Right or refused, as the command line's user sees it. */
import assert from "node:assert/strict";
import type { Verdict } from "../../../pipeline/verdict/verdict.ts";
import { CALIBRATION, DEMO_MODEL } from "../../support/demo.ts";
import { inFolder, runCommand } from "../../support/cli.ts";

const QUANTIZE = ["quantize", "--model", DEMO_MODEL, "--data", CALIBRATION, "--samples", "16"];
const RUINED = ["--weight-bits", "2"];

const verdictIn = async (folder: string): Promise<Verdict> =>
  JSON.parse(await Deno.readTextFile(`${folder}/verdict.json`));

Deno.test("a model that lost what it is for ends with 3, and says what was lost and by whom", () =>
  inFolder(async (folder) => {
    const { code, out } = await runCommand(...QUANTIZE, ...RUINED, "--out", folder);
    assert.equal(code, 3);
    assert.match(out, /lost/);
    assert.match(out, /weights of /);
    const { lost, data, outputs } = await verdictIn(folder);
    assert.equal(data, "held out");
    assert.ok(lost.length > 0);
    assert.deepEqual(outputs.map(({ output }) => output), ["logits"]);
  }));

Deno.test("--accept ends with 0 and keeps the verdict", () =>
  inFolder(async (folder) => {
    const { code } = await runCommand(...QUANTIZE, ...RUINED, "--accept", "--out", folder);
    assert.equal(code, 0);
    assert.ok((await verdictIn(folder)).lost.length > 0);
  }));

Deno.test("a good model ends with 0, and its verdict has lost nothing", () =>
  inFolder(async (folder) => {
    const { code, out } = await runCommand(...QUANTIZE, "--out", folder);
    assert.equal(code, 0);
    assert.match(out, /logits.* dB/);
    const { lost, samples } = await verdictIn(folder);
    assert.deepEqual([lost, samples], [[], 16]);
  }));

Deno.test("limits are wishes: a good model is refused by a stricter one", () =>
  inFolder(async (folder) => {
    const strict = ["--least-sqnr", "60"];
    const { code } = await runCommand(...QUANTIZE, ...strict, "--out", folder);
    assert.equal(code, 3);
    assert.match((await verdictIn(folder)).lost[0].what, /at least 60/);
  }));

Deno.test("--quiet says what was lost all the same", () =>
  inFolder(async (folder) => {
    const run = await runCommand(...QUANTIZE, ...RUINED, "--quiet", "--out", folder);
    assert.equal(run.code, 3);
    assert.match(run.out + run.error, /lost/);
  }));
