import assert from "node:assert/strict";
import { textHistogram } from "../../../pipeline/report/text_histogram.ts";
import { createNaiveHistogramCore } from "../../../wasm/mod.ts";
import { floats, gaussian } from "../../support/random.ts";

function histogramOf(values: Float32Array) {
  const accumulator = createNaiveHistogramCore().create();
  accumulator.observe(values);
  return accumulator.data();
}

const values = floats(5000, gaussian(7));
const data = histogramOf(values);
const marks = [
  { label: "mse 2", values: [-2, 2] },
  { label: "a label that is longer than any gap between two marks", values: [-0.1, 0.1] },
];

for (const width of [24, 40, 80, 133, 400]) {
  Deno.test(`a histogram keeps within ${width} columns, but for a label that is longer`, () => {
    const text = textHistogram(data, { width, marks });
    for (const line of text.trimEnd().split("\n")) {
      const isLabel = line.trim() === marks[1].label;
      assert.ok(isLabel || [...line].length <= Math.max(width, 23), line);
    }
    // deno-lint-ignore no-control-regex
    assert.ok(!/[\x1b\r\t]/.test(text));
  });
}

Deno.test("marks stand where their values are, above and below the axis", () => {
  const lines = textHistogram(data, { width: 100, marks }).split("\n");
  const line = lines.find((text) => text.includes("mse 2"))!;
  const [left, right] = [line.indexOf("▲"), line.lastIndexOf("▲")];
  const axis = lines.find((text) => text.includes("└"))!;
  assert.deepEqual([axis[left], axis[right]], ["┴", "┴"]);
  const ticks = lines[lines.indexOf(axis) + 1];
  const [, low, high] = ticks.match(/^\s+(-[\d.]+) .* ([\d.]+)$/)!;
  const cells = axis.length - 7;
  const width = (Number(high) - Number(low)) / cells;
  for (const [column, value] of [[left, -2], [right, 2]]) {
    const from = Number(low) + (column - 7) * width;
    assert.ok(Math.abs(value - from) <= 1.5 * width, `${value} at ${from}`);
  }
});

Deno.test("bars grow with counts: linear ones in proportion, a single element is seen", () => {
  const values = Float32Array.from(
    { length: 1001 },
    (_, i) => i < 800 ? 0.5 : i < 1000 ? 2.5 : 3.9,
  );
  const text = textHistogram(histogramOf(values), { width: 7 + 20, height: 10, scale: "linear" });
  const rows = text.split("\n").slice(0, 10).map((row) => [...row.slice(7)]);
  const heightOf = (column: number) => rows.filter((row) => (row[column] ?? " ") !== " ").length;
  const columnOf = (value: number) => Math.floor(value / (3.9 * 1.02) * 20);
  assert.equal(heightOf(columnOf(0.5)), 10);
  assert.ok([2, 3].includes(heightOf(columnOf(2.5))), text);
  assert.equal(rows[9][columnOf(3.9)], "▁", text);
});

Deno.test("a tensor of zeros and one without elements are drawn, too", () => {
  assert.match(textHistogram(histogramOf(new Float32Array(9)), { width: 50 }), /█/);
  assert.equal(textHistogram(histogramOf(new Float32Array(0)), { width: 50 }), "no element\n");
});
