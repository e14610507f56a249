import { createRandom } from "../wasm/shapes.ts";

type Draw = (random: () => number) => number;

function gauss(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** 30 % zeros and 20 % sixes, at random places. */
function relu6(random: () => number): number {
  const place = random();
  if (place < 0.3) return 0;
  return place < 0.5 ? 6 : 6 * random();
}

const DATA_SETS: Readonly<Record<string, Draw>> = {
  "gauss": gauss,
  "uniform": (random) => 2 * random() - 1,
  "relu, 50 % zeros": (random) => Math.max(0, gauss(random)),
  "relu6, 30 % 0, 20 % 6": relu6,
  "90 % zeros": (random) => random() < 0.9 ? 0 : gauss(random),
  "90 % of one value": (random) => random() < 0.9 ? 0.7 : random(),
  "constant": () => 0.7,
  "all zero": () => 0,
};

/** A tensor that is measured. */
export interface DataSet {
  readonly name: string;
  readonly values: Float32Array;
}

/** All of them, the same ones each time. */
export function createDataSets(length: number): DataSet[] {
  return Object.entries(DATA_SETS).map(([name, draw]) => {
    const random = createRandom(20260721);
    return { name, values: Float32Array.from({ length }, () => draw(random)) };
  });
}
