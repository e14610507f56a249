// Sums one run, four elements at a time; run_sums.ts says in what order.

/** Stores Σx and Σx² of `count` elements from `start` on at `out`. */
@inline
export function sumRun(start: usize, count: i32, out: usize): void {
  let sum0 = f64x2.splat(0);
  let sum1 = f64x2.splat(0);
  let square0 = f64x2.splat(0);
  let square1 = f64x2.splat(0);
  let at = start;
  const end = start + (<usize> (count & -4) << 2);
  for (; at < end; at += 16) {
    const x0 = f64x2.promote_low_f32x4(v128.load64_zero(at));
    const x1 = f64x2.promote_low_f32x4(v128.load64_zero(at, 8));
    sum0 = f64x2.add(sum0, x0);
    sum1 = f64x2.add(sum1, x1);
    square0 = f64x2.add(square0, f64x2.mul(x0, x0));
    square1 = f64x2.add(square1, f64x2.mul(x1, x1));
  }
  const sums = f64x2.add(sum0, sum1);
  const squares = f64x2.add(square0, square1);
  let sum = f64x2.extract_lane(sums, 0) + f64x2.extract_lane(sums, 1);
  let square = f64x2.extract_lane(squares, 0) + f64x2.extract_lane(squares, 1);
  for (const last = start + (<usize> count << 2); at < last; at += 4) {
    const x = <f64> load<f32>(at);
    sum += x;
    square += x * x;
  }
  store<f64>(out, sum);
  store<f64>(out, square, 8);
}
