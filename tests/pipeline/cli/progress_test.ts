import assert from "node:assert/strict";
import { ProgressPrinter } from "../../../pipeline/cli/progress.ts";
import { memoryHost } from "../../support/streams.ts";

function play(isTerminal: boolean, quiet = false): string {
  const host = { ...memoryHost(), isTerminal };
  let time = 0;
  const printer = new ProgressPrinter(host, { quiet, now: () => time });
  for (let done = 0; done <= 1000; done += 10) {
    printer.report({ stage: "calibrate", done, total: 1000 });
    time += 200;
  }
  return host.printed.error;
}

Deno.test("progress redraws one line on a terminal, with rate and time left", () => {
  const drawn = play(true);
  assert.equal(drawn.split("\n").length, 2, "one line break, at the end");
  assert.ok(drawn.includes("\r\x1b[2Kcalibrate   500/1000  50 %  50 samples/s  ETA 10 s"), drawn);
  assert.match(drawn, /1000\/1000 {2}100 % {2}50 samples\/s\n$/);
});

Deno.test("progress prints a plain line every five seconds elsewhere", () => {
  const lines = play(false).trimEnd().split("\n");
  assert.equal(lines.length, 4);
  assert.ok(lines.every((line) => !line.includes("\r") && !line.includes("\x1b")));
  assert.match(lines[0], /^calibrate {3}250\/1000 {2}25 %/);
});

Deno.test("progress is silent when asked", () => {
  assert.equal(play(true, true), "");
});
