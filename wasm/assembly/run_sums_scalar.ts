// Sums one run: the plain form of run_sums_simd.ts. Same order, same sums.

/** Stores Σx and Σx² of `count` elements from `start` on at `out`. */
@inline
export function sumRun(start: usize, count: i32, out: usize): void {
  let sum0: f64 = 0, sum1: f64 = 0, sum2: f64 = 0, sum3: f64 = 0;
  let square0: f64 = 0, square1: f64 = 0, square2: f64 = 0, square3: f64 = 0;
  let at = start;
  const end = start + (<usize> (count & -4) << 2);
  for (; at < end; at += 16) {
    const x0 = <f64> load<f32>(at);
    const x1 = <f64> load<f32>(at, 4);
    const x2 = <f64> load<f32>(at, 8);
    const x3 = <f64> load<f32>(at, 12);
    sum0 += x0;
    sum1 += x1;
    sum2 += x2;
    sum3 += x3;
    square0 += x0 * x0;
    square1 += x1 * x1;
    square2 += x2 * x2;
    square3 += x3 * x3;
  }
  let sum = sum0 + sum2 + (sum1 + sum3);
  let square = square0 + square2 + (square1 + square3);
  for (const last = start + (<usize> count << 2); at < last; at += 4) {
    const x = <f64> load<f32>(at);
    sum += x;
    square += x * x;
  }
  store<f64>(out, sum);
  store<f64>(out, square, 8);
}
