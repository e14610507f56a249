/** The exact minima and lower bounds that branches rest on, each alone. */
import assert from "node:assert/strict";
import { Elimination } from "../../../../pipeline/plan/solver/eliminate.ts";
import { leastFillOrder } from "../../../../pipeline/plan/solver/elimination_order.ts";
import { FlowNetwork } from "../../../../pipeline/plan/solver/max_flow.ts";
import { minimumCut, turnsOf } from "../../../../pipeline/plan/solver/minimum_cut.ts";
import {
  combineRows,
  type Model,
  modelOf,
  type PairRow,
  totalOf,
} from "../../../../pipeline/plan/solver/model.ts";
import { relax, tighten } from "../../../../pipeline/plan/solver/relax.ts";
import { uniform } from "../../../support/random.ts";
import { randomProblem, type Wish } from "./problems.ts";

const modelFor = (wish: Partial<Wish>): Model =>
  modelOf(randomProblem({
    seed: 1,
    nodes: 7,
    shape: "sparse",
    labels: 3,
    exactly: true,
    budgets: 0,
    negative: 0.3,
    ...wish,
  }));

/** The least total with each option, by trying all. */
function leastWith(model: Model, row: PairRow): Float64Array {
  const least = new Float64Array(model.start.at(-1)!).fill(Infinity);
  const labels = new Int32Array(model.sizes.length);
  for (;;) {
    const value = totalOf(model, row, labels);
    for (const [i, x] of labels.entries()) {
      least[model.start[i] + x] = Math.min(least[model.start[i] + x], value);
    }
    let i = 0;
    for (; i < labels.length; i++) {
      if (++labels[i] < model.sizes[i]) break;
      labels[i] = 0;
    }
    if (i === labels.length) return least;
  }
}
const near = (a: number, b: number) => a === b || Math.abs(a - b) < 1e-9;

Deno.test("elimination finds the minimum and the least with each option, in any order of nodes", () => {
  for (let seed = 1; seed <= 60; seed++) {
    const model = modelFor({ seed, labels: 2 + seed % 3, forbidden: seed % 4 / 20 });
    const row = combineRows(model, [0]);
    const wanted = leastWith(model, row);
    const orders = [leastFillOrder(model)!, Int32Array.from(model.sizes.keys())];
    for (const order of orders) {
      const elimination = new Elimination(model, order);
      // Twice, since tables are used again.
      for (let turn = 0; turn < 2; turn++) {
        const { value, labels } = elimination.minimise(row);
        assert.ok(near(value, Math.min(...wanted)), `seed ${seed}`);
        if (value < Infinity) assert.ok(near(totalOf(model, row, labels), value), `seed ${seed}`);
        const found = elimination.leastWith();
        for (const [at, least] of wanted.entries()) {
          assert.ok(near(found[at], least), `seed ${seed}, option ${at}: ${found[at]}, ${least}`);
        }
      }
    }
  }
});

Deno.test("parts of a graph that nothing joins add up", () => {
  const model = modelFor({ shape: "apart", nodes: 5 });
  const row = combineRows(model, [0]);
  const elimination = new Elimination(model, leastFillOrder(model)!);
  elimination.minimise(row);
  const found = elimination.leastWith();
  for (const [at, least] of leastWith(model, row).entries()) {
    assert.ok(near(found[at], least), `option ${at}: ${found[at]}, ${least}`);
  }
});

Deno.test("a minimum cut is the minimum of two options with submodular borders, turned around or not", () => {
  let turned = 0;
  for (let seed = 1; seed <= 80; seed++) {
    const given = modelFor({ seed, labels: 2, nodes: 9, potts: true, negative: 0 });
    // Some nodes the other way around: their borders prefer unlike options.
    const next = uniform(seed);
    const flips = Array.from(given.sizes, () => seed % 2 === 0 && next() < 0.4);
    const row = combineRows(given, [0]);
    for (const { a, b, start } of given.pairs) {
      if (flips[a] !== flips[b]) {
        row.pair.subarray(start, start + 4).set([1, 0, 0, 1].map((v) => v * next()));
      }
    }
    const model = { ...given, rows: [row] };
    const turns = turnsOf(model);
    assert.ok(turns, `seed ${seed}`);
    if (turns.includes(1)) turned++;
    const { value, labels } = minimumCut(model, row, turns);
    assert.ok(near(value, Math.min(...leastWith(model, row))), `seed ${seed}`);
    assert.equal(totalOf(model, row, labels), value);
  }
  assert.ok(turned > 20);
});

Deno.test("a minimum cut keeps away from forbidden combinations", () => {
  const model = modelFor({ labels: 2, nodes: 3, shape: "chain", potts: true });
  const row = combineRows(model, [0]);
  row.unary.set([0, 5, 5, 0, 0, 5]);
  for (const { start } of model.pairs) row.pair.subarray(start, start + 4).set([0, Infinity, 1, 0]);
  const turns = turnsOf({ ...model, rows: [row] })!;
  const { value } = minimumCut(model, row, turns);
  assert.equal(value, Math.min(...leastWith(model, row)));
});

Deno.test("borders that no turning makes submodular are left to others", () => {
  const model = modelFor({ labels: 2, nodes: 3, shape: "chain" });
  const triangle = [[0, 1], [1, 2], [0, 2]].map(([a, b], k) => ({ a, b, start: 4 * k }));
  // An odd circle in which all want to differ.
  const pair = Float64Array.from([1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1]);
  const rows = [{ unary: model.rows[0].unary, pair }];
  assert.equal(turnsOf({ ...model, pairs: triangle, rows }), undefined);
  assert.ok(turnsOf({ ...model, pairs: triangle.slice(0, 2), rows }));
  assert.equal(turnsOf(modelFor({ labels: 3 })), undefined, "three options");
});

Deno.test("flow through a network is what its narrowest cut lets through", () => {
  // The example of Cormen, Leiserson, Rivest & Stein, "Introduction to Algorithms", figure 26.1: 23.
  const network = new FlowNetwork(6);
  for (
    const [from, to, capacity] of [
      [0, 1, 16],
      [0, 2, 13],
      [1, 3, 12],
      [2, 1, 4],
      [2, 4, 14],
      [3, 2, 9],
      [3, 5, 20],
      [4, 3, 7],
      [4, 5, 4],
    ]
  ) {
    network.add(from, to, capacity);
  }
  assert.equal(network.flow(0, 5), 23);
  assert.deepEqual([...network.reaches(5)], [0, 0, 0, 1, 0, 1]);
});

Deno.test("graphs that are too entangled for tables have no order, chains with residuals have one", () => {
  const sizes = Int32Array.from({ length: 30 }, () => 5);
  const pairs = [...sizes.keys()].flatMap((b) =>
    [...Array(b).keys()].map((a) => ({ a, b, start: 0 }))
  );
  assert.equal(leastFillOrder({ sizes, pairs }), undefined);
  const { sizes: many, pairs: few } = modelFor({ nodes: 300, shape: "residual", labels: 5 });
  assert.equal(leastFillOrder({ sizes: many, pairs: few })?.length, 300);
});

Deno.test("a relaxation is a lower bound, costs that move make it better, and labels cost the same", () => {
  let [before, after] = [0, 0];
  for (let seed = 1; seed <= 12; seed++) {
    // Everybody touches everybody: tables of 4 nodes hold a part of it.
    const model = modelFor({ seed, nodes: 9, labels: 3 });
    const pairs: Model["pairs"][number][] = [];
    const costs: number[] = [];
    const next = uniform(seed);
    for (let a = 0; a < 9; a++) {
      for (let b = a + 1; b < 9; b++) {
        pairs.push({ a, b, start: costs.length });
        for (let k = 0; k < 9; k++) costs.push(next());
      }
    }
    const row = { unary: model.rows[0].unary, pair: Float64Array.from(costs) };
    const dense = { ...model, pairs, rows: [row] };
    const least = Math.min(...leastWith(dense, row));
    const relaxed = relax(dense, row);
    assert.ok(relaxed.copies.length > 0);
    const moved = combineRows(relaxed.model, [0]);
    const { value, labels } = new Elimination(relaxed.model, relaxed.order).minimise(moved);
    const target = totalOf(dense, row, labels.slice(0, 9));
    const bound = tighten(relaxed, moved, target, 200);
    assert.ok(value <= least + 1e-9 && bound <= least + 1e-9, `seed ${seed}: ${bound}, ${least}`);
    before += least - value;
    after += least - bound;
    // Copies that agree cost what their nodes cost, wherever costs have moved to.
    const agreed = Int32Array.from(
      [...labels.slice(0, 9), ...relaxed.copies].map((x, i) => i < 9 ? x : labels[x]),
    );
    assert.ok(near(totalOf(relaxed.model, moved, agreed), target), `seed ${seed}`);
  }
  assert.ok(after < 0.5 * before, `${after} of ${before}`);
});
