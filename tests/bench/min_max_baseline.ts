import * as asc from "assemblyscript/asc";

/** Smallest and largest element in SIMD, and nothing else: what reading the tensor costs at the least. */
const SOURCE = `
export const INPUT_LENGTH: i32 = 16384;
export const INPUT: usize = memory.data(INPUT_LENGTH * 4, 16);

let least = f32x4.splat(Infinity);
let most = f32x4.splat(-Infinity);

export function reset(): void {
  least = f32x4.splat(Infinity);
  most = f32x4.splat(-Infinity);
}

/** count: a multiple of 16. Four accumulators each, for the minimum has a latency of several cycles. */
export function observe(count: i32): void {
  let least0 = least, least1 = least, least2 = least, least3 = least;
  let most0 = most, most1 = most, most2 = most, most3 = most;
  const end = INPUT + (<usize> count << 2);
  for (let at = INPUT; at < end; at += 64) {
    const a = v128.load(at);
    const b = v128.load(at, 16);
    const c = v128.load(at, 32);
    const d = v128.load(at, 48);
    least0 = f32x4.pmin(least0, a);
    least1 = f32x4.pmin(least1, b);
    least2 = f32x4.pmin(least2, c);
    least3 = f32x4.pmin(least3, d);
    most0 = f32x4.pmax(most0, a);
    most1 = f32x4.pmax(most1, b);
    most2 = f32x4.pmax(most2, c);
    most3 = f32x4.pmax(most3, d);
  }
  least = f32x4.pmin(f32x4.pmin(least0, least1), f32x4.pmin(least2, least3));
  most = f32x4.pmax(f32x4.pmax(most0, most1), f32x4.pmax(most2, most3));
}

export function minimum(): f32 {
  return min(
    min(f32x4.extract_lane(least, 0), f32x4.extract_lane(least, 1)),
    min(f32x4.extract_lane(least, 2), f32x4.extract_lane(least, 3)),
  );
}

export function maximum(): f32 {
  return max(
    max(f32x4.extract_lane(most, 0), f32x4.extract_lane(most, 1)),
    max(f32x4.extract_lane(most, 2), f32x4.extract_lane(most, 3)),
  );
}
`;

interface MinMaxExports {
  readonly memory: WebAssembly.Memory;
  readonly INPUT: { readonly value: number };
  readonly INPUT_LENGTH: { readonly value: number };
  reset(): void;
  observe(count: number): void;
  minimum(): number;
  maximum(): number;
}

/** The baseline. Lengths are multiples of 16. */
export interface MinMaxBaseline {
  /** Smallest and largest element, each chunk copied in as the histogram does it. */
  withCopy(values: Float32Array): readonly [min: number, max: number];
  /** The time of {@linkcode withCopy} without its copies: looks at the chunk that is there, again and again. */
  withoutCopy(values: Float32Array): void;
}

export async function createMinMaxBaseline(): Promise<MinMaxBaseline> {
  let binary: Uint8Array | undefined;
  const options = ["-O3", "--runtime", "stub", "--enable", "simd", "--outFile", "out.wasm"];
  const { error, stderr } = await asc.main(["index.ts", ...options], {
    readFile: (name) => name === "index.ts" ? SOURCE : null,
    writeFile: (_name, contents) => {
      if (typeof contents !== "string") binary = contents;
    },
    listFiles: () => [],
  });
  if (error || binary === undefined) throw new Error(`Cannot compile the baseline:\n${stderr}`);
  const module = await WebAssembly.compile(new Uint8Array(binary));
  const { exports } = await WebAssembly.instantiate(module);
  const wasm = exports as unknown as MinMaxExports;
  const capacity = wasm.INPUT_LENGTH.value;
  const input = new Float32Array(wasm.memory.buffer, wasm.INPUT.value, capacity);
  return {
    withCopy(values) {
      wasm.reset();
      for (let start = 0; start < values.length; start += capacity) {
        const chunk = values.subarray(start, start + capacity);
        input.set(chunk);
        wasm.observe(chunk.length);
      }
      return [wasm.minimum(), wasm.maximum()];
    },
    withoutCopy(values) {
      for (let start = 0; start < values.length; start += capacity) {
        wasm.observe(Math.min(capacity, values.length - start));
      }
    },
  };
}
