/** The data behind MCT's vectors (`mct.md` §9.4), rounded to float32. */
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
