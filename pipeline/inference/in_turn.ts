/**
 * One thing in onnxruntime-web after the other.
 *
 * @module
 */

/** Milliseconds between two signs of life of whoever is at it, and without one until it is taken for gone. */
const BEAT_MS = 1000;
const DEAD_MS = 10_000;

/** Whoever is at it, and when it last gave a sign of life. */
let user: { seen: number } | undefined;
/** Those that wait. */
const waiting: (() => void)[] = [];

/**
 * Does one thing in onnxruntime-web after the other: creates, runs or releases. All its sessions share one stack of its
 * WebAssembly, on which a run lays its arguments before it waits for its inputs (1.30): a second run that begins meanwhile
 * writes over them.
 *
 * In workerd a request whose client has gone stops wherever it is and never says that it is done, so whoever waits looks
 * for signs of life.
 */
export async function inTurn<T>(action: () => Promise<T>): Promise<T> {
  while (user !== undefined) await turn();
  const me = { seen: Date.now() };
  user = me;
  const beat = setInterval(() => me.seen = Date.now(), BEAT_MS);
  try {
    return await action();
  } finally {
    clearInterval(beat);
    if (user === me) user = undefined;
    waiting.shift()?.();
  }
}

/** Resolves when it may be one's turn. */
function turn(): Promise<void> {
  return new Promise((resolve) => {
    let looked = Date.now();
    let quiet = 0;
    const timer = setInterval(() => {
      // Time in which this one couldn't look either, because something computed, counts for nobody.
      const now = Date.now();
      quiet = user !== undefined && now - user.seen > 2 * BEAT_MS && now - looked < 2 * BEAT_MS
        ? quiet + now - looked
        : 0;
      looked = now;
      if (quiet < DEAD_MS) return;
      user = undefined;
      go();
    }, BEAT_MS);
    const go = () => {
      clearInterval(timer);
      resolve();
    };
    waiting.push(go);
  });
}
