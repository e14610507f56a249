/** Progress by a clock and a terminal that tests hold. */
import assert from "node:assert/strict";
import { ProgressPrinter } from "../../../apps/cli/progress.ts";
import { Screen, type ScreenOptions } from "../../../apps/cli/screen.ts";
import type { Host } from "../../../core/host.ts";
import { memoryHost } from "../../support/streams.ts";

/** A host with a terminal, or none, and environment variables. */
function hostOf(columns: number | undefined, environment: Record<string, string> = {}) {
  const host = memoryHost();
  const terminal: Host["terminal"] = {
    outputColumns: () => columns,
    errorColumns: () => columns,
    environment: (name) => environment[name],
  };
  return { ...host, isTerminal: columns !== undefined, terminal };
}

interface Play extends ScreenOptions {
  columns?: number;
  environment?: Record<string, string>;
  stage?: string;
}

/** 1000 samples of 20 kB in 20 seconds. */
function play({ columns, environment, stage = "calibrate", ...options }: Play): string {
  const host = hostOf(columns, environment);
  const screen = new Screen(host);
  screen.configure(options);
  let time = 0;
  const printer = new ProgressPrinter(screen, { ...options, now: () => time });
  for (let done = 0; done <= 1000; done += 10) {
    const thresholds = done > 300 ? { moving: 3, all: 29 } : undefined;
    printer.report({ stage, done, total: 1000, thresholds });
    printer.addBytes(200_000);
    time += 200;
  }
  return host.printed.error;
}

/** What a terminal shows of a line that is redrawn. */
const drawn = (text: string) => text.split("\r\x1b[2K").slice(1);

Deno.test("progress redraws one line on a terminal, with bar, rates, time left and thresholds", () => {
  const text = play({ columns: 120, color: false });
  assert.equal(text.split("\n").length, 2, "one line break, at the end");
  assert.deepEqual(drawn(text).slice(50, 51), [
    "calibrate   ━━━━━━━━━━━━────────────  500/1000  50 %  50 samples/s  ETA 10 s  " +
    "3 of 29 thresholds moving  1.0 MB/s",
  ]);
  assert.match(drawn(text).at(-1)!, /━{24} {2}1000\/1000 {2}100 % {2}50 samples\/s {2}3 of 29/);
});

for (const columns of [20, 40, 79, 200]) {
  Deno.test(`a bar keeps within ${columns} columns`, () => {
    for (
      const line of drawn(play({ columns, color: false, stage: "a stage of a long name 1/3" }))
    ) {
      assert.ok([...line.trimEnd()].length < columns, line);
    }
  });
}

for (
  const [name, options, hasColor] of [
    ["a terminal", {}, true],
    ["NO_COLOR", { environment: { NO_COLOR: "1" } }, false],
    ["NO_COLOR beside FORCE_COLOR", { environment: { NO_COLOR: "1", FORCE_COLOR: "1" } }, false],
    ["FORCE_COLOR=0", { environment: { FORCE_COLOR: "0" } }, false],
    ["--no-color", { color: false, environment: { FORCE_COLOR: "1" } }, false],
  ] as [string, Play, boolean][]
) {
  Deno.test(`a bar has ${hasColor ? "" : "no "}colours with ${name}`, () => {
    assert.equal(play({ columns: 120, ...options }).includes("\x1b[32m"), hasColor);
  });
}

Deno.test("progress prints a plain line every five seconds elsewhere, without control codes", () => {
  const text = play({});
  const lines = text.trimEnd().split("\n");
  assert.equal(lines.length, 4);
  // deno-lint-ignore no-control-regex
  assert.ok(!/[\r\x1b]/.test(text));
  assert.match(
    lines[0],
    /^calibrate {3}250\/1000 {2}25 % {2}50 samples\/s {2}ETA 15 s {2}1\.0 MB\/s$/,
  );
  assert.equal(play({ columns: 80, progress: "lines" }), text, "and on a terminal, when asked");
});

Deno.test("progress as JSON lines has the documented fields, once a second at most", () => {
  const lines = play({ columns: 80, progress: "json" }).trimEnd().split("\n");
  const events = lines.map((line) => JSON.parse(line));
  assert.equal(events.length, 21);
  assert.deepEqual(events[10], {
    ...{ event: "progress", stage: "calibrate", done: 500, total: 1000, seconds: 10 },
    ...{ samplesPerSecond: 50, bytesPerSecond: 1e6, secondsLeft: 10, moving: 3, thresholds: 29 },
    ...{ workers: null, shardsDone: null, shards: null },
  });
  const document = Deno.readTextFileSync("docs/progress.md");
  for (const field of Object.keys(events[0])) assert.ok(document.includes(`\`${field}\``), field);
});

Deno.test("progress is silent when asked, and so are notes and steps", () => {
  for (const progress of ["auto", "json"] as const) {
    assert.equal(play({ columns: 80, quiet: true, progress }), "");
  }
  const host = hostOf(80);
  const printer = new ProgressPrinter(new Screen(host), { quiet: true, verbose: true });
  printer.note("a note");
  printer.step("a step");
  assert.equal(host.printed.error, "");
});

Deno.test("steps are told with --verbose, each with the time since the last one", () => {
  const host = hostOf(undefined);
  let time = 0;
  const steps = (verbose: boolean) => {
    const printer = new ProgressPrinter(new Screen(host), { verbose, now: () => time });
    time += 1500;
    printer.step("one");
    time += 250;
    printer.step("two");
  };
  steps(false);
  assert.equal(host.printed.error, "");
  steps(true);
  assert.equal(host.printed.error, "one (1.50 s)\ntwo (0.25 s)\n");
});

Deno.test("messages don't tear a bar apart, and results begin on a line of their own", () => {
  const host = hostOf(80);
  const screen = new Screen(host);
  const printer = new ProgressPrinter(screen, { color: false });
  printer.report({ stage: "calibrate", done: 1, total: 3 });
  screen.host.printError("broken sample 1\n");
  printer.report({ stage: "evaluate", done: 1, total: 3 });
  screen.host.print("result\n");
  const text = host.printed.error;
  const [first, message, second] = drawn(text);
  assert.match(first, /calibrate .* 1\/3/);
  assert.equal(message, "broken sample 1\n", "in the place of the bar");
  assert.match(second, /^evaluate .* 1\/3.*\n$/);
  assert.equal(host.printed.out, "result\n");
});

Deno.test("a stage that ends early leaves its bar, and the rate of the next begins anew", () => {
  const host = hostOf(80);
  let time = 0;
  const printer = new ProgressPrinter(new Screen(host), { color: false, now: () => time });
  printer.report({ stage: "one", done: 100, total: 200 });
  time = 10_000;
  printer.report({ stage: "two", done: 8, total: 100 });
  time = 11_000;
  printer.report({ stage: "two", done: 28, total: 100 });
  assert.match(host.printed.error, /100\/200 {2}50 %\n\r/);
  assert.match(host.printed.error, /28\/100 {2}28 % {2}20 samples\/s {2}ETA 4 s$/);
});

Deno.test("among JSON lines messages and failures are objects, too", () => {
  const host = hostOf(80);
  const screen = new Screen(host);
  screen.configure({ progress: "json" });
  screen.host.printError("note: something\n");
  screen.failure("while reading");
  assert.deepEqual(host.printed.error.trimEnd().split("\n").map((line) => JSON.parse(line)), [
    { event: "message", text: "note: something" },
    { event: "error", text: "while reading" },
  ]);
});
