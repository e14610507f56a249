// The bits of a float32: sign (1), exponent (8), mantissa (23). Its bin is the upper 17 of them,
// r the lower 15. wasm/bins.ts has the formula and the mathematics; these are the same shifts.

/** Bits of r; the bin is what is above. */
export const R_BITS: u32 = 15;
export const R_MASK: u32 = 0x7fff;

/** Bits of the mantissa; sign and exponent above them name the octave, 0 to 511. */
export const MANTISSA_BITS: u32 = 23;
export const OCTAVES: u32 = 512;
export const OCTAVES_PER_SIGN: u32 = 256;
export const BINS_PER_OCTAVE: u32 = 256;

/** Everything but the sign: ordered as the absolute values are. */
export const MAGNITUDE_MASK: u32 = 0x7fff_ffff;
/** Magnitude of an infinity; NaN lies above, finite numbers below. */
export const INFINITY_MAGNITUDE: u32 = 0x7f80_0000;

/** The bins that hold +0 and -0, together with the subnormals below 2^15 ulps. */
export const POSITIVE_ZERO_BIN: u32 = 0;
export const NEGATIVE_ZERO_BIN: u32 = 1 << 16;
