/** Times of each contestant, of which the median counts. */
export const REPEATS = 25;

/** What is measured. */
export interface NamedSession {
  readonly name: string;
  run(values: Float32Array): void;
}

/** Median time of each contestant, in ns per element. */
export function measure(contestants: readonly NamedSession[], values: Float32Array): number[] {
  const times = contestants.map((): number[] => []);
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    contestants.forEach(({ run }, i) => {
      const start = performance.now();
      run(values);
      times[i].push((performance.now() - start) * 1e6 / values.length);
    });
  }
  return times.map((each) => each.sort((a, b) => a - b)[REPEATS >> 1]);
}

/** A line of the table. */
export function row(title: string, cells: readonly string[]): string {
  return title.padEnd(24) + cells.map((cell) => cell.padStart(14)).join("");
}
