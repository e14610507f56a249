/**
 * Mutation fuzzing: `deno task fuzz [--kind K] [--seconds N] [--seed S] [--cases C]`.
 *
 * A case is a kind, a seed and a number, and made of nothing else. What a case may do is give a result or a
 * PlimsollError. Another exception, a rejection that nobody handles, the death of the process, more than 20 seconds and
 * more than 1 GB are failures: they are made smaller and put into `corpus/`, which `corpus_test.ts` runs.
 */
import { parseArgs } from "node:util";
import { Chance } from "./chance.ts";
import { KINDS } from "./kinds.ts";

const MAX_SECONDS = 20;
const MAX_BYTES = 1e9;
/** How often memory is looked at. */
const LOOK_MS = 100;

const CORPUS = new URL("corpus/", import.meta.url);

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

/** A failure of one cause. */
interface Failure {
  readonly kind: string;
  readonly index: number;
  readonly signature: string;
  readonly stack?: string;
  count: number;
}

/** What became of a kind. */
interface Tally {
  cases: number;
  results: number;
  peakBytes: number;
  slowestMs: number;
  readonly failures: Map<string, Failure>;
}

/** Bytes that a process has in memory; 0 where the system doesn't say. */
async function residentBytes(pid: number): Promise<number> {
  try {
    const text = await Deno.readTextFile(`/proc/${pid}/statm`);
    return Number(text.split(" ")[1]) * 4096;
  } catch {
    return 0;
  }
}

function start(...args: string[]): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--lock=deno.lock", "-A", "--no-check", "--quiet"],
      ...[new URL("run_cases.ts", import.meta.url).pathname, ...args],
    ],
    stdout: "piped",
    stderr: "inherit",
    stdin: "null",
  }).spawn();
}

async function* linesOf(
  stream: ReadableStream<Uint8Array>,
): AsyncGenerator<Record<string, unknown>> {
  let rest = "";
  for await (
    const chunk of stream.pipeThrough(new TextDecoderStream() as never) as never as AsyncIterable<
      string
    >
  ) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop()!;
    for (const line of lines) {
      try {
        yield JSON.parse(line);
      } catch {
        // What a runtime prints by itself.
      }
    }
  }
}

/** Runs cases from `from` on until one ends the process, or the time is up; says where to go on. */
async function runSome(
  kind: string,
  seed: number,
  range: { from: number; to: number; until: number },
  tally: Tally,
): Promise<number> {
  const child = start(kind, `${seed}`, `${range.from}`, `${range.to}`);
  let current: number | undefined;
  let since = Date.now();
  let verdict: string | undefined;
  let next = range.from;
  const fail = (index: number, signature: string, stack?: string) => {
    const known = tally.failures.get(signature);
    if (known !== undefined) known.count++;
    else {
      tally.failures.set(signature, { kind, index, signature, stack, count: 1 });
      print(`  ${kind} ${index}: ${signature}`);
    }
  };
  const begun = Date.now();
  // Making what cases begin from doesn't count.
  let readyMs: number | undefined;
  let isEnded = false;
  const watch = (async () => {
    while (!isEnded) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      const bytes = await residentBytes(child.pid);
      tally.peakBytes = Math.max(tally.peakBytes, bytes);
      const isLate = current !== undefined && Date.now() - since > MAX_SECONDS * 1000;
      const isLarge = current !== undefined && bytes > MAX_BYTES;
      const isOver = readyMs !== undefined && Date.now() > range.until + readyMs;
      if (!isLate && !isLarge && !isOver) continue;
      if (isLate) verdict = `more than ${MAX_SECONDS} s`;
      else if (isLarge) verdict = "more than 1 GB";
      else verdict = "over";
      try {
        child.kill("SIGKILL");
      } catch {
        // It has ended by itself.
      }
      return;
    }
  })();
  let isDone = false;
  for await (const line of linesOf(child.stdout)) {
    if (line.ready === true) readyMs ??= Date.now() - begun;
    if (typeof line.results === "number") tally.results += line.results;
    if (typeof line.case === "number") {
      if (current !== undefined) tally.slowestMs = Math.max(tally.slowestMs, Date.now() - since);
      current = line.case;
      since = Date.now();
      tally.cases++;
      next = current + 1;
    } else if (typeof line.failed === "number") {
      fail(line.failed, String(line.signature), String(line.stack));
    } else if (typeof line.renew === "number") isDone = true;
    else if (line.done === true) {
      isDone = true;
      next = range.to;
    }
  }
  isEnded = true;
  await Promise.all([watch, child.status]);
  if (verdict === "over") return range.to;
  if (verdict !== undefined) fail(current!, `${verdict} (case ${current})`);
  else if (!isDone && current !== undefined) {
    fail(current, `death of the process (case ${current})`);
  } else if (!isDone) throw new Error(`${kind} doesn't begin`);
  return next;
}

/** Puts a failure into the corpus, as small as may be. */
async function keep({ kind, index, signature }: Failure, seed: number): Promise<string> {
  const { ending, make } = await KINDS[kind]();
  const hash = new Uint8Array(
    await crypto.subtle.digest("SHA-256", new TextEncoder().encode(signature)),
  );
  const name = [...hash.subarray(0, 4)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const folder = new URL(`${kind}/`, CORPUS);
  const file = new URL(`${name}.${ending}`, folder);
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeFile(file, make(new Chance(seed, index)));
  // Deaths and hangs stay as they are: making them smaller would die and hang, too.
  if (/ at /.test(signature)) {
    const child = start(kind, "--smaller", file.pathname);
    const timer = setTimeout(() => child.kill("SIGKILL"), 90_000);
    await child.stdout.cancel();
    await child.status;
    clearTimeout(timer);
  }
  return `${kind}/${name}.${ending}`;
}

if (import.meta.main) {
  const { values } = parseArgs({
    args: Deno.args,
    options: {
      kind: { type: "string", multiple: true },
      seconds: { type: "string", default: "60" },
      seed: { type: "string", default: "1" },
      cases: { type: "string", default: "Infinity" },
      keep: { type: "boolean", default: true },
    },
    allowNegative: true,
  });
  const names = values.kind ?? Object.keys(KINDS);
  const odd = names.find((name) => !Object.hasOwn(KINDS, name));
  if (odd !== undefined) {
    print(`No kind ${odd}; there are ${Object.keys(KINDS).join(", ")}`);
    Deno.exit(2);
  }
  const seed = Number(values.seed);
  const cases = Number(values.cases);
  const until = Date.now() + Number(values.seconds) * 1000;
  let total = 0;
  const failures: Failure[] = [];
  for (const [i, name] of names.entries()) {
    const left = until - Date.now();
    const share = Date.now() + Math.max(1000, left / (names.length - i));
    const tally: Tally = { cases: 0, results: 0, peakBytes: 0, slowestMs: 0, failures: new Map() };
    const begun = Date.now();
    const to = Number.isFinite(cases) ? cases : 1e9;
    for (let from = 0; from < to && Date.now() < share;) {
      from = await runSome(name, seed, { from, to, until: share }, tally);
    }
    total += tally.cases;
    const found = [...tally.failures.values()];
    failures.push(...found);
    print(
      `${name}: ${tally.cases} cases (${tally.results} results) in ${
        Math.round((Date.now() - begun) / 1000)
      } s, ` +
        `peak ${Math.round(tally.peakBytes / 1e6)} MB, slowest ${tally.slowestMs} ms, ` +
        `${found.length} kinds of failures in ${
          found.reduce((sum, { count }) => sum + count, 0)
        } cases`,
    );
  }
  for (const failure of failures) {
    print(`\n${failure.count} × ${failure.kind} --seed ${seed}, case ${failure.index}:`);
    print(failure.stack ?? failure.signature);
    if (values.keep) print(`kept as tests/fuzz/corpus/${await keep(failure, seed)}`);
  }
  print(`\n${total} cases, ${failures.length} kinds of failures`);
  Deno.exit(failures.length === 0 ? 0 : 1);
}
