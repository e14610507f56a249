import { type Levels, symmetricLevels, uniformLevels } from "../../core/grid.ts";
import type { ErrorMethod } from "../../core/types.ts";

/** The data behind MCT's vectors, rounded to float32. */
export function mctData(): Record<string, Float32Array> {
  let state = 12345;
  const random = Float64Array.from({ length: 240000 }, () => {
    state = (1664525 * state + 1013904223) % 2 ** 32;
    return state / 2 ** 32;
  });
  const gauss = Float64Array.from({ length: 20000 }, (_, i) => {
    let sum = 0;
    for (let k = 0; k < 12; k++) sum += random[20000 * k + i];
    return sum - 6;
  });
  const v = random.slice(0, 20000).map((u) => 2 * u - 1);
  return {
    unif: Float32Array.from(random.slice(0, 20000), (u) => 14 * u - 7),
    gauss: Float32Array.from(gauss),
    relu: Float32Array.from(gauss, (g) => Math.max(g, 0)),
    leaky: Float32Array.from(gauss, (g) => g < 0 ? 0.01 * g : g),
    heavy: Float32Array.from(v, (x) => x / (1.001 - Math.abs(x))),
    offset: Float32Array.from(gauss, (g) => 10 + 0.5 * g),
  };
}

/** A choice that MCT made on one of the data sets, as `mct_vectors.json` records it. */
export interface RecordedChoice {
  readonly data: string;
  readonly constraint: "symmetric" | "uniform";
  readonly bits: number;
  readonly error: ErrorMethod;
  /** p of the error that the method minimises. */
  readonly power: number;
  readonly levels: Levels;
}

/** All recorded choices of MSE, MAE and LP4 with symmetric and uniform grids. */
export function recordedChoices(path: string): RecordedChoice[] {
  const { selection } = JSON.parse(Deno.readTextFileSync(path));
  const methods: Record<string, [ErrorMethod, number]> = {
    MSE: ["mse", 2],
    MAE: ["mae", 1],
    LP4: ["lp", 4],
  };
  return Object.keys(selection).flatMap((data) =>
    Object.entries(selection[data].th as Record<string, Record<string, number>>).flatMap(
      ([key, found]) => {
        const [kind, bitsText, method] = key.split("/");
        if (kind === "pot" || methods[method] === undefined) return [];
        const [error, power] = methods[method];
        const bits = Number(bitsText);
        return [{
          ...{ data, bits, error, power },
          constraint: kind === "sym" ? "symmetric" as const : "uniform" as const,
          levels: kind === "sym"
            ? symmetricLevels(found.threshold, bits, Boolean(found.is_signed))
            : uniformLevels(found.range_min, found.range_max, bits),
        }];
      },
    )
  );
}
