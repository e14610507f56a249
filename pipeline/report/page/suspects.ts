/**
 * Which quantizers lose most, and what the numbers say about why.
 *
 * @module
 */
import type { OutputLoss } from "../../diagnose/output_losses.ts";
import type { ReportActivation, ReportWeight, Suspect } from "./data.ts";

/** Suspects that are named. */
const MAX_SUSPECTS = 8;
/** SQNR that another method must add to be mentioned, in dB. */
const WORTHWHILE = 1;
/** Part of the elements clipped from which it is mentioned. */
const MANY_CLIPPED = 1e-3;
/** Codes that hold nearly all elements, as a part of all codes, below which it is mentioned. */
const FEW_CODES = 1 / 8;
/** Ratio of the widest to the narrowest channel from which it is mentioned. */
const UNEVEN = 64;
/** "Nearly all" elements. */
const MOST = 0.999;

/**
 * The quantizers that cost the outputs most, where that was measured; else those of lowest SQNR.
 *
 * @param losses What each costs the outputs alone.
 */
export function suspects(
  activations: readonly ReportActivation[],
  weights: readonly ReportWeight[],
  losses: readonly OutputLoss[] = [],
): Suspect[] {
  const shares = new Map(losses.map(({ kind, name, share }) => [`${kind} ${name}`, share]));
  const shareOf = ({ kind, index }: Pick<Suspect, "kind" | "index">) =>
    kind === "activation"
      ? shares.get(`activation ${activations[index].tensor}`) ?? 0
      : shares.get(`weights ${weights[index].node}`) ?? 0;
  const faultOf = ({ kind, index }: Pick<Suspect, "kind" | "index">) =>
    Number(kind === "activation" && activations[index].measured?.isFault === true);
  const found = [
    ...activations.flatMap((activation, index) => {
      const sqnr = activation.seen?.sqnr ?? null;
      return sqnr === null ? [] : [{ kind: "activation" as const, index, sqnr }];
    }),
    ...weights.flatMap(({ sqnr }, index) =>
      sqnr === null ? [] : [{ kind: "weight" as const, index, sqnr }]
    ),
  ].sort((a, b) =>
    faultOf(b) - faultOf(a) || shareOf(b) - shareOf(a) || a.sqnr - b.sqnr || a.index - b.index
  );
  const bySqnr = found.map(({ sqnr }) => sqnr).toSorted((a, b) => a - b);
  const median = bySqnr[Math.floor(bySqnr.length / 2)] ?? 0;
  return found.slice(0, MAX_SUSPECTS).map((suspect) => ({
    ...suspect,
    why: [
      ...(shareOf(suspect) > 0
        ? [`${(100 * shareOf(suspect)).toFixed(1)} % of what the quantizers cost the outputs`]
        : []),
      suspect.sqnr <= median
        ? `${(median - suspect.sqnr).toFixed(1)} dB below the median quantizer`
        : `${(suspect.sqnr - median).toFixed(1)} dB above the median quantizer`,
      ...(suspect.kind === "activation"
        ? whyActivation(activations[suspect.index])
        : whyWeight(weights[suspect.index])),
    ],
  }));
}

function whyActivation({ seen, bits, range, measured }: ReportActivation): string[] {
  const why: string[] = [];
  if (measured !== undefined && measured.accumulated !== null) {
    why.push(`${measured.accumulated.toFixed(1)} dB in the whole quantized model`);
  }
  if (measured?.isFault) {
    why.push("a fault: all that it is made from is right, and it is wrong in the whole model only");
  }
  if (seen === undefined) return why;
  const best = seen.methods.reduce((a, b) => (b.sqnr ?? -Infinity) > (a.sqnr ?? -Infinity) ? b : a);
  const gain = (best.sqnr ?? 0) - (seen.sqnr ?? 0);
  if (!best.isChosen && gain >= WORTHWHILE) {
    why.push(`${best.method} would give ${gain.toFixed(1)} dB more here`);
  }
  if (seen.clippedFraction >= MANY_CLIPPED) {
    why.push(`${(100 * seen.clippedFraction).toPrecision(2)} % of the elements are clipped`);
  }
  const used = bulk(seen.cells, seen.elements) / (range[1] - range[0]);
  if (used < FEW_CODES) {
    const codes = Math.max(1, Math.round(used * 2 ** bits));
    why.push(`99.9 % of the elements lie within ${codes} of ${2 ** bits} codes`);
  }
  return why;
}

function whyWeight({ ranges }: ReportWeight): string[] {
  const least = Math.min(...ranges.filter((range) => range > 0));
  const ratio = Math.max(...ranges) / least;
  return ranges.length > 1 && ratio >= UNEVEN
    ? [`its widest channel is ${Math.round(ratio)} times as wide as its narrowest`]
    : [];
}

/** Width of the cells that hold nearly all elements when the tails are cut evenly. */
function bulk(
  { low, high, counts }: { low: number; high: number; counts: readonly number[] },
  elements: number,
): number {
  const tail = (1 - MOST) / 2 * elements;
  let [first, last] = [0, counts.length - 1];
  for (let sum = counts[first]; first < last && sum <= tail; sum += counts[++first]);
  for (let sum = counts[last]; last > first && sum <= tail; sum += counts[--last]);
  return (last - first + 1) * (high - low) / counts.length;
}
