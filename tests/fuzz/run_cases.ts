/**
 * Runs cases of one kind in a process of its own, which may die, hang or grow of them: `fuzz.ts` starts it and reads what
 * it prints, a JSON line each.
 *
 *     KIND SEED FROM TO       cases of a seed
 *     KIND --file FILE        one case, from a file
 *     KIND --smaller FILE     the smallest bytes that fail as those of the file do, written over it
 */
import { setImmediate } from "node:timers";
import { PlimsollError } from "../../core/errors.ts";
import { Chance } from "./chance.ts";
import type { Kind } from "./kind.ts";
import { KINDS } from "./kinds.ts";

/** A process that has grown to this begins anew behind the case. */
const RENEW_BYTES = 600e6;
/** Seconds that making a failure smaller may take. */
const SMALLER_SECONDS = 40;

const encoder = new TextEncoder();
export function say(line: Record<string, unknown>): void {
  Deno.stdout.writeSync(encoder.encode(JSON.stringify(line) + "\n"));
}

/** What is the same in failures of one cause: the kind of the error, its text without numbers and names, and where. */
export function signatureOf(error: unknown): string {
  const { name, message, stack = "" } = error instanceof Error
    ? error
    : { name: "thrown", message: String(error), stack: "" };
  const text = message.replace(/"(?:[^"\\]|\\.)*"/g, '""').replace(
    /-?\d+(\.\d+)?(e[+-]?\d+)?/g,
    "#",
  )
    .slice(0, 80);
  const frame = stack.split("\n").find((line) =>
    /\/(apps|pipeline|tpc|onnx|wasm|core)\//.test(line)
  );
  const place = frame?.replace(/^.*?\/(apps|pipeline|tpc|onnx|wasm|core)\//, "$1/").replace(
    /\)$/,
    "",
  );
  return `${name}: ${text} at ${place ?? stack.split("\n")[1]?.trim() ?? "?"}`;
}

/** Rejections that nobody has handled since the last case. */
const unhandled: unknown[] = [];

/** Cases that gave a result since the last time that was said: a reader that refuses everything is hardly tried. */
let results = 0;

const turn = () => new Promise<void>((resolve) => void setImmediate(resolve));

/** The failure of a case; undefined for a result and for an error that a user can act on. */
async function failureOf(kind: Kind, bytes: Uint8Array): Promise<{ error: unknown } | undefined> {
  unhandled.length = 0;
  try {
    await kind.run(bytes);
    results++;
  } catch (error) {
    if (!(error instanceof PlimsollError)) return { error };
  }
  await turn();
  return unhandled.length === 0 ? undefined : { error: unhandled[0] };
}

/** Cuts pieces out, large ones first, while the failure stays the same. */
async function smaller(kind: Kind, bytes: Uint8Array): Promise<Uint8Array> {
  const first = await failureOf(kind, bytes);
  if (first === undefined) return bytes;
  const signature = signatureOf(first.error);
  const end = Date.now() + SMALLER_SECONDS * 1000;
  const fails = async (candidate: Uint8Array) => {
    const failure = await failureOf(kind, candidate);
    return failure !== undefined && signatureOf(failure.error) === signature;
  };
  let best = bytes;
  for (let again = kind.smaller !== undefined; again && Date.now() < end;) {
    again = false;
    for (const candidate of kind.smaller!(best)) {
      if (Date.now() > end) break;
      if (candidate.length >= best.length || !await fails(candidate)) continue;
      best = candidate;
      again = true;
      break;
    }
  }
  for (let size = best.length >> 1; size > 0 && Date.now() < end; size >>= 1) {
    for (let at = 0; at + size <= best.length && Date.now() < end;) {
      const candidate = new Uint8Array([...best.subarray(0, at), ...best.subarray(at + size)]);
      if (await fails(candidate)) best = candidate;
      else at += size;
    }
  }
  return best;
}

if (import.meta.main) {
  const [name, first, second, third] = Deno.args;
  const kind = await KINDS[name]();
  // From here on; before, they are ours.
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    unhandled.push(event.reason);
  });
  if (first === "--file" || first === "--smaller") {
    const bytes = await Deno.readFile(second);
    if (first === "--smaller") await Deno.writeFile(second, await smaller(kind, bytes));
    else {
      const failure = await failureOf(kind, bytes);
      say(failure === undefined ? { ok: true } : describe(failure.error));
    }
    Deno.exit(0);
  }
  say({ ready: true });
  for (let index = Number(second); index < Number(third); index++) {
    const bytes = kind.make(new Chance(Number(first), index));
    say({ case: index });
    const failure = await failureOf(kind, bytes);
    if (failure !== undefined) say({ failed: index, ...describe(failure.error) });
    if (index % 64 === 0) {
      say({ results });
      results = 0;
    }
    if (index % 16 === 0 && Deno.memoryUsage().rss > RENEW_BYTES) {
      say({ renew: index + 1 });
      Deno.exit(0);
    }
  }
  say({ done: true, results });
  Deno.exit(0);
}

function describe(error: unknown) {
  return {
    signature: signatureOf(error),
    stack: error instanceof Error ? (error.stack ?? error.message).slice(0, 2000) : String(error),
  };
}
