/** Standard error of whole commands. */
import assert from "node:assert/strict";
import { Screen } from "../../../apps/cli/screen.ts";
import { inFolder, runCommand } from "../../support/cli.ts";
import { memoryHost } from "../../support/streams.ts";

const CALIBRATE = ["calibrate", "--samples", "6", "--out"];

Deno.test("with --progress json every line of standard error is an object, errors too", () =>
  inFolder(async (folder) => {
    const plain = await runCommand(...CALIBRATE, `${folder}/a.plim`);
    const json = await runCommand(
      ...CALIBRATE,
      `${folder}/b.plim`,
      "--progress",
      "json",
      "--verbose",
    );
    assert.deepEqual([plain.code, json.code], [0, 0], json.error);
    const events = json.error.trimEnd().split("\n").map((line) => JSON.parse(line));
    const last = events.findLast(({ event }) => event === "progress");
    assert.deepEqual([last.stage, last.done, last.total], ["calibrate", 6, 6]);
    assert.ok(
      events.some(({ event, text }) => event === "message" && /^target default:/.test(text)),
    );
    assert.deepEqual(
      Deno.readFileSync(`${folder}/a.plim`),
      Deno.readFileSync(`${folder}/b.plim`),
      "what is shown changes no result",
    );
    const failed = await runCommand("inspect", `${folder}/none.onnx`, "--progress", "json");
    assert.equal(failed.code, 1);
    const { event, text } = JSON.parse(failed.error);
    assert.equal(event, "error");
    assert.match(text, /no such file/);
  }));

Deno.test("--verbose says what each step decided", () =>
  inFolder(async (folder) => {
    const data = "data/fashion/calibration-images-idx3-ubyte.gz";
    const { code, error } = await runCommand(
      ...["quantize", "--model", "data/fashion/model.onnx", "--data", data, "--samples", "4"],
      ...["--error", "mae", "--bits", "7", "--out", folder, "--verbose"],
    );
    assert.equal(code, 0, error);
    assert.match(error, /^model: opset 17, 96 nodes, 44 when prepared$/m);
    assert.match(error, /^ {2}\S+Clip_output_0: bound 6 moved to 8/m);
    assert.match(error, /^target default: activations 7 bits, pot, error mae; weights 8 bits/m);
    assert.match(error, /^decided: 28 thresholds, 28 by mae, least SQNR [\d.]+ dB of \S+;/m);
    const parts = ["inference", "statistics", "search", "emission", "verdict", "report"];
    const times = /^time: (.*)$/m.exec(error)?.[1];
    for (const part of parts) assert.match(times!, new RegExp(`${part} \\d+\\.\\d\\d s`));
  }));

Deno.test("names of strangers reach the terminal as text, wherever they are printed", () => {
  const host = memoryHost();
  const screen = new Screen(host);
  const odd = "a\x1b[31mred\x1b]0;title\x07\u202eb";
  screen.host.print(odd);
  screen.host.printError(odd);
  screen.failure(odd);
  screen.configure({ progress: "json" });
  screen.message(odd);
  screen.event({ name: odd });
  const all = host.printed.out + host.printed.error;
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(all, /[\x07\x1b\u202e]/);
  assert.equal(all.match(/\\u001b\[31mred/g)?.length, 5);
});
