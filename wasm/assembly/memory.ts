// Linear memory
//
//   address      bytes    what
//   INPUT        64 KiB   elements on their way in, or rows (rows.ts) on their way in or out
//   SCRATCH       4 MiB   the table that the kernels write, shared by all accumulators
//   heap base        …    accumulators (accumulator.ts) and their wide pages, as they are needed
//
// INPUT and SCRATCH never move. The heap only grows, and only in reserve(): when memory grows, every
// view that the host has of it gets length 0.
//
// SCRATCH is indexed by bin number: no pointer to follow, no test whether a page exists. An
// octave is 8 KiB, two pages of the operating system, so an octave no element fell in costs nothing.
//
//   SCRATCH       bin 0, even elements     bin 0, odd elements      bin 1, even elements
//                 +0           +8          +16          +24         +32
//                 n<<40 | Σr   Σr²         n<<40 | Σr   Σr²         n<<40 | Σr   …
//
// Two halves per bin: consecutive elements often share a bin (zeros after a ReLU), and an update
// must wait for the previous one of the same address, about 10 cycles on Zen 3. With two
// halves a tensor of 90 % equal elements costs 1.8 ns per element, not 3.1; four halves would save
// little more and put a Gaussian tensor out of the L1 cache (1.4 to 1.8 ns). (measured)

/** Capacity of INPUT in elements: small enough to stay in the L2 cache beside the scratch table. */
export const INPUT_LENGTH: i32 = 16384;
export const INPUT: usize = memory.data(INPUT_LENGTH * 4, 16);

/** Bytes of a bin and of an octave in SCRATCH, as shifts. */
export const SCRATCH_BIN_SHIFT: u32 = 5;
export const SCRATCH_OCTAVE_SHIFT: u32 = 13;
export const SCRATCH: usize = memory.data(131072 << 5, 4096);

/** Where n starts in the first word of a bin; below it is Σr. */
export const N_SHIFT: u64 = 40;
export const R1_MASK: u64 = (1 << 40) - 1;

/** Most elements the scratch table may hold: n has 24 bits, and r below 2^15 leaves Σr below 2^39. */
export const SCRATCH_CAPACITY: u32 = (1 << 24) - 1;

const WASM_PAGE_SHIFT: usize = 16;
let heapEnd: usize = (__heap_base + 15) & ~15;

/** Makes sure that `bytes` can be allocated without growing; false when the host has no more. */
export function reserve(bytes: usize): bool {
  const available = (<usize> memory.size() << WASM_PAGE_SHIFT) - heapEnd;
  if (bytes <= available) return true;
  const pages = (bytes - available + 0xffff) >> WASM_PAGE_SHIFT;
  return memory.grow(<i32> pages) >= 0;
}

/** Zeroed bytes at a multiple of 8. The caller has reserved them. */
export function allocate(bytes: usize): usize {
  const address = heapEnd;
  heapEnd += (bytes + 7) & ~7;
  return address;
}
