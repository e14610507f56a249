// Adds elements to the scratch table, 16 at a time. For each element x with bits b:
//
//   bin(b).n += 1;  bin(b).Σr += r;  bin(b).Σr² += r²      r = b & 0x7fff
//
// 1. n and Σr share a word and Σr² is its neighbour (memory.ts), so an update is one 128-bit load, add
//    and store. r and r² come from SIMD, four at a time; four shuffles put each pair together.
// 2. r² is dot_i16x8(r, r): the upper half of each lane is 0, r fits 15 bits, and the instruction is one
//    micro-operation where i32x4.mul takes two.
// 3. Addresses come from scalar loads of the same elements, two at a time: taking a lane out of
//    a vector costs two micro-operations on x86 and the loads are free (1.5 to 1.3 ns per element, measured).
// 4. Sixteen equal elements are added at once. Constant tensors and the zero planes of a ReLU would
//    wait 5 cycles per element for their own last store, and now take a fraction (1.8 to 0.4 ns, measured).
//    Looking at each 4 elements instead costs more in mispredicted branches than it saves (measured).
// 5. The constants are loaded from memory, once: the optimizer would put a v128.const in the loop, and V8
//    build it anew for every step (7 % slower, measured).

import { Extremes } from "./extremes";
import { R_BITS, R_MASK } from "./bits";
import { INPUT, N_SHIFT, SCRATCH, SCRATCH_BIN_SHIFT } from "./memory";

/** Elements per step; the caller keeps the rest for the direct path. */
export const STEP: i32 = 16;

/** Address of a bin in the scratch table = bits >>> ADDRESS_SHIFT & ADDRESS_MASK. */
const ADDRESS_SHIFT: u32 = R_BITS - SCRATCH_BIN_SHIFT;
const ADDRESS_MASK: u32 = ~((1 << SCRATCH_BIN_SHIFT) - 1);

/** R_MASK, four times. */
const R_MASKS: usize = memory.data<u32>([0x7fff, 0x7fff, 0x7fff, 0x7fff], 16);

/** n = 1 in the upper half of the word that n shares with Σr: 1 << (N_SHIFT - 32), four times. */
const ONE_ELEMENT: usize = memory.data<u32>([0x100, 0x100, 0x100, 0x100], 16);

/**
 * Adds the first `count` elements of INPUT to the scratch table and sets `extremes` to theirs.
 *
 * @param count A multiple of STEP.
 */
export function addElements(count: i32, extremes: Extremes): void {
  let maxSigned = i32x4.splat(i32.MIN_VALUE);
  let maxUnsigned = i32x4.splat(0);
  let minSigned = i32x4.splat(i32.MAX_VALUE);
  let minUnsigned = i32x4.splat(-1);

  const rMasks = v128.load(R_MASKS);
  const oneElement = v128.load(ONE_ELEMENT);
  const one = i32x4.splat(1);

  let at = INPUT;
  const end = INPUT + (<usize> count << 2);
  while (at < end) {
    const a = v128.load(at);
    const b = v128.load(at, 16);
    const c = v128.load(at, 32);
    const d = v128.load(at, 48);

    const first = v128.load32_splat(at);
    const differences = v128.or(
      v128.or(v128.xor(a, first), v128.xor(b, first)),
      v128.or(v128.xor(c, first), v128.xor(d, first)),
    );
    if (!v128.any_true(differences)) {
      maxSigned = i32x4.max_s(maxSigned, a);
      maxUnsigned = i32x4.max_u(maxUnsigned, a);
      minSigned = i32x4.min_s(minSigned, i32x4.sub(a, one));
      minUnsigned = i32x4.min_u(minUnsigned, i32x4.sub(a, one));
      addEqual(load<u32>(at));
    } else {
      addBlock(a, load<u64>(at), load<u64>(at, 8), rMasks, oneElement);
      addBlock(b, load<u64>(at, 16), load<u64>(at, 24), rMasks, oneElement);
      addBlock(c, load<u64>(at, 32), load<u64>(at, 40), rMasks, oneElement);
      addBlock(d, load<u64>(at, 48), load<u64>(at, 56), rMasks, oneElement);

      maxSigned = i32x4.max_s(maxSigned, i32x4.max_s(i32x4.max_s(a, b), i32x4.max_s(c, d)));
      maxUnsigned = i32x4.max_u(maxUnsigned, i32x4.max_u(i32x4.max_u(a, b), i32x4.max_u(c, d)));
      const a1 = i32x4.sub(a, one);
      const b1 = i32x4.sub(b, one);
      const c1 = i32x4.sub(c, one);
      const d1 = i32x4.sub(d, one);
      minSigned = i32x4.min_s(minSigned, i32x4.min_s(i32x4.min_s(a1, b1), i32x4.min_s(c1, d1)));
      minUnsigned = i32x4.min_u(minUnsigned, i32x4.min_u(i32x4.min_u(a1, b1), i32x4.min_u(c1, d1)));
    }
    at += STEP * 4;
  }

  maxSigned = i32x4.max_s(maxSigned, v128.shuffle<u64>(maxSigned, maxSigned, 1, 0));
  maxUnsigned = i32x4.max_u(maxUnsigned, v128.shuffle<u64>(maxUnsigned, maxUnsigned, 1, 0));
  minSigned = i32x4.min_s(minSigned, v128.shuffle<u64>(minSigned, minSigned, 1, 0));
  minUnsigned = i32x4.min_u(minUnsigned, v128.shuffle<u64>(minUnsigned, minUnsigned, 1, 0));
  extremes.maxSigned = max(i32x4.extract_lane(maxSigned, 0), i32x4.extract_lane(maxSigned, 1));
  extremes.maxUnsigned = max<u32>(
    i32x4.extract_lane(maxUnsigned, 0),
    i32x4.extract_lane(maxUnsigned, 1),
  );
  extremes.minSigned = min(i32x4.extract_lane(minSigned, 0), i32x4.extract_lane(minSigned, 1));
  extremes.minUnsigned = min<u32>(
    i32x4.extract_lane(minUnsigned, 0),
    i32x4.extract_lane(minUnsigned, 1),
  );
}

/** Adds STEP elements that all have these bits. */
@inline
function addEqual(bits: u32): void {
  const address = addressOf(bits);
  const r = <u64> (bits & R_MASK);
  store<u64>(address, load<u64>(address, SCRATCH) + ((<u64> STEP << N_SHIFT) + STEP * r), SCRATCH);
  store<u64>(address, load<u64>(address, SCRATCH + 8) + STEP * r * r, SCRATCH + 8);
}

/** Adds the four elements of `block`; `lanes01` and `lanes23` are the same elements. */
@inline
function addBlock(block: v128, lanes01: u64, lanes23: u64, rMasks: v128, n: v128): void {
  const r = v128.and(block, rMasks);
  const rr = i32x4.dot_i16x8_s(r, r);
  const zero = i32x4.splat(0);
  const low1 = v128.shuffle<u32>(r, n, 0, 4, 1, 5);
  const low2 = v128.shuffle<u32>(rr, zero, 0, 4, 1, 5);
  const high1 = v128.shuffle<u32>(r, n, 2, 6, 3, 7);
  const high2 = v128.shuffle<u32>(rr, zero, 2, 6, 3, 7);
  addEven(<u32> lanes01, v128.shuffle<u64>(low1, low2, 0, 2));
  addOdd(<u32> (lanes01 >>> 32), v128.shuffle<u64>(low1, low2, 1, 3));
  addEven(<u32> lanes23, v128.shuffle<u64>(high1, high2, 0, 2));
  addOdd(<u32> (lanes23 >>> 32), v128.shuffle<u64>(high1, high2, 1, 3));
}

@inline
function addEven(bits: u32, update: v128): void {
  const address = addressOf(bits);
  v128.store(address, i64x2.add(v128.load(address, SCRATCH), update), SCRATCH);
}

@inline
function addOdd(bits: u32, update: v128): void {
  const address = addressOf(bits);
  v128.store(address, i64x2.add(v128.load(address, SCRATCH + 16), update), SCRATCH + 16);
}

/** Address of the element's bin relative to SCRATCH. */
@inline
function addressOf(bits: u32): usize {
  return (bits >>> ADDRESS_SHIFT) & ADDRESS_MASK;
}
