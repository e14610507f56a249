/** Where the fast implementations leave their path for few elements: `DIRECT_BELOW` in wasm/assembly. */
export const SCRATCH_FROM = 4096;

/** Elements that a kernel is given at a time: `INPUT_LENGTH` in wasm/assembly. */
export const CHUNK = 16384;

/** float32 bit patterns on the borders of everything: zeros, subnormals, bins, octaves, infinities, NaN. */
export const BORDER_BITS: readonly number[] = [
  0x0000_0000, // 0
  0x0000_0001, // smallest subnormal
  0x0000_7fff, // largest of bin 0
  0x0000_8000, // first of bin 1
  0x007f_ffff, // largest subnormal
  0x0080_0000, // smallest normal
  0x3f7f_ffff, // just below 1
  0x3f80_0000, // 1
  0x3f80_7fff, // largest r
  0x3f80_8000, // next bin
  0x7f7f_ffff, // largest finite
  0x7f80_0000, // infinity
  0x7f80_0001, // NaN, signalling
  0x7fc0_0000, // NaN
  0x7fff_ffff, // NaN, last
].flatMap((bits) => [bits, (bits | 0x8000_0000) >>> 0]);

/** A float32 from its bits; NaN payloads survive. */
export function fromBits(bits: readonly number[] | Uint32Array): Float32Array {
  return new Float32Array(Uint32Array.from(bits).buffer);
}

/** Uniform numbers in [0, 1), the same ones for the same seed (mulberry32). */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return function random() {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

type Draw = (random: () => number) => number;

function gauss(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

function randomBits(random: () => number): number {
  return fromBits([Math.floor(random() * 2 ** 32)])[0];
}

/** What tensors look like, one element at a time. */
const DRAWS: Readonly<Record<string, Draw>> = {
  "gauss": gauss,
  "all negative": (random) => -Math.abs(gauss(random)),
  "relu": (random) => Math.max(0, gauss(random)),
  "relu with -0": (random) => gauss(random) * (random() < 0.5 ? 0 : 1),
  "relu6": (random) => Math.min(6, Math.max(0, 6 * gauss(random))),
  "subnormals": (random) => gauss(random) * 2 ** -130,
  "tiny subnormals": (random) => Math.round(gauss(random) * 9000) * 2 ** -149,
  "huge": (random) => gauss(random) * 1e38,
  "all magnitudes": (random) => gauss(random) * 2 ** Math.floor(random() * 270 - 149),
  "lattice": (random) => Math.round(random() * 255) / 255,
  "constant": () => 0.7,
  "zero": () => 0,
  "minus zero": () => -0,
  "mostly one value": (random) => random() < 0.9 ? 1.1 : random(),
  "NaN and infinities mixed in": (random) =>
    [NaN, Infinity, -Infinity][Math.floor(random() * 30)] ?? gauss(random),
  "only NaN": () => NaN,
  "only infinities": (random) => random() < 0.5 ? Infinity : -Infinity,
  "any bits": randomBits,
};

/** Names of the shapes that {@linkcode createShape} knows. */
export const SHAPES: readonly string[] = Object.keys(DRAWS);

/** A tensor of the named shape; the same one for the same seed. */
export function createShape(name: string, length: number, seed = 1): Float32Array {
  const random = createRandom(seed);
  const draw = DRAWS[name];
  return Float32Array.from({ length }, () => draw(random));
}
