/** Plans by made-up costs and losses, against trying all choices. */
import assert from "node:assert/strict";
import { outlineGraph } from "../../../onnx/graph/outline.ts";
import { choicesOf } from "../../../pipeline/plan/choices.ts";
import {
  asUsersWant,
  estimate,
  type Estimates,
  storedChoice,
  usualChoice,
} from "../../../pipeline/plan/estimates.ts";
import { bestOf, goalOf, isWithin, keepsBits, solveGoal } from "../../../pipeline/plan/goal.ts";
import {
  leftFloat,
  overridesOf,
  type PlanChoice,
  type PlanInput,
} from "../../../pipeline/plan/plan_problem.ts";
import { estimateTimes } from "../../../pipeline/plan/unit_times.ts";
import { workOfUnits } from "../../../pipeline/plan/unit_work.ts";
import { resolve } from "../../../tpc/placement/resolve.ts";
import { addOverrides, presetTarget } from "../../../tpc/targets/read_target.ts";
import type { Target } from "../../../tpc/targets/target.ts";
import { model, node, value } from "../../support/onnx.ts";
import { weights } from "../../support/rewrite.ts";

/** Four convolutions, one depthwise, and a sum over two of them. */
const { graph } = model({
  nodes: [
    node("Conv", ["x", "w1"], ["a"], { pads: [1, 1, 1, 1] }),
    node("Relu", ["a"], ["b"]),
    node("Conv", ["b", "w2"], ["c"], { group: 8, pads: [1, 1, 1, 1] }),
    node("Conv", ["c", "w3"], ["d"]),
    node("Add", ["d", "b"], ["e"]),
    node("Conv", ["e", "w4"], ["y"]),
  ],
  inputs: [value("x", [1, 8, 6, 6])],
  outputs: [value("y", [1, 8, 6, 6])],
  initializers: [
    weights("w1", 8, 8, 3, 3),
    weights("w2", 8, 1, 3, 3),
    weights("w3", 8, 8, 1, 1),
    weights("w4", 8, 8, 1, 1),
  ],
});
const outline = outlineGraph(graph);
const ELEMENTS = 8 * 6 * 6;
const everything = { match: { node: "*" }, compute: "integer" as const, optional: true as const };

function inputFor(options: Target["options"], random: () => number): PlanInput {
  const target = { ...addOverrides(presetTarget("onnxruntime")!, [everything]), options };
  const placement = asUsersWant(resolve(outline, target), target);
  const elements = () => ELEMENTS;
  const losses = new Map<string, number>();
  const loss = (name: string, bits: number) => {
    if (!losses.has(name)) losses.set(name, random() / 100);
    return losses.get(name)! * 4 ** (8 - bits);
  };
  return {
    outline,
    placement,
    choices: choicesOf(placement, target),
    work: workOfUnits(outline, placement.units, elements),
    times: {
      quantize: random() * 3,
      dequantize: random() * 3,
      change: random() * 500,
      units: placement.units.map(() => ({ float: random() * 9000, integer: random() * 9000 })),
    },
    elements,
    weightStorage: target.storage.weight,
    losses: { activation: loss, weights: loss },
  };
}

function estimatesOf(input: PlanInput): Estimates {
  return {
    input,
    costs: {
      schemaVersion: 1,
      runtime: "made up",
      model: { sha256: "0".repeat(64) },
      runs: 1,
      float: input.times.units.reduce((sum, { float }) => sum + float, 0),
      integer: 0,
      quantize: input.times.quantize,
      dequantize: input.times.dequantize,
      units: [],
    },
    rest: 0,
    overhead: 0,
    corrections: { loss: 1, latency: 1 },
  };
}

/** All choices of units with the codes that tensors must have then: codes that nobody needs only cost. */
function* allChoices({ choices, placement }: PlanInput): Iterable<PlanChoice> {
  const { units } = placement;
  const owner = new Map(
    placement.activations.map(({ tensor, sameAs }) => [tensor, sameAs ?? tensor]),
  );
  const pick = function* (i: number): Iterable<PlanChoice["units"]> {
    if (i === units.length) return yield [];
    for (const choice of choices.units[i]) for (const rest of pick(i + 1)) yield [choice, ...rest];
  };
  for (const picked of pick(0)) {
    const needed = new Set(picked.flatMap(({ kind }, i) =>
      kind !== "integer" ? [] : [
        ...units[i].inputs,
        ...(units[i].givesFloat ? [] : units[i].outputs),
      ].map((tensor) => owner.get(tensor)!)
    ));
    yield {
      units: picked,
      tensors: new Map([...choices.tensors.keys()].map((t) => [t, needed.has(t) ? 8 : 0])),
    };
  }
}

/** Numbers of a linear congruential generator (Numerical Recipes), from 0 to 1. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 1664525 + 1013904223) % 2 ** 32) / 2 ** 32;
}

for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
  Deno.test(`the plan of least time is the least of all choices, seed ${seed}`, () => {
    const estimates = estimatesOf(inputFor({ float: true }, randomFrom(seed)));
    const solved = solveGoal(estimates, { least: "time", text: "" })!;
    const all = [...allChoices(estimates.input)].map((choice) =>
      estimate(estimates, choice).latency!
    );
    assert.ok(Math.abs(estimate(estimates, solved).latency! - Math.min(...all)) < 1e-9);
  });

  Deno.test(`the plan of least loss within a time is the least of all such choices, seed ${seed}`, () => {
    const estimates = estimatesOf(inputFor({ float: true }, randomFrom(seed)));
    const all = [...allChoices(estimates.input)].map((choice) => estimate(estimates, choice));
    const times = all.map(({ latency }) => latency!).sort((a, b) => a - b);
    const latency = times[Math.floor(times.length / 5)];
    const solved = estimate(estimates, solveGoal(estimates, { least: "loss", text: "", latency })!);
    const best = Math.min(...all.filter((x) => x.latency! <= latency).map(({ loss }) => loss!));
    assert.ok(solved.latency! <= latency * (1 + 1e-9));
    assert.ok(solved.loss! <= best * (1 + 2e-3) + 1e-15, `${solved.loss} for ${best}`);
  });
}

Deno.test("a budget of bits gives the costly layers more", () => {
  const input = inputFor({ weightBits: [2, 4, 8] }, randomFrom(3));
  const estimates = estimatesOf(input);
  const solved = solveGoal(estimates, { least: "loss", text: "", bits: 5 })!;
  assert.ok(keepsBits(estimates, solved, 5));
  assert.ok(!keepsBits(estimates, usualChoice(input), 5));
  const bits = solved.units.flatMap((unit) => unit.kind === "integer" ? unit.weightBits ?? [] : []);
  assert.ok(new Set(bits).size > 1, `${bits}`);
});

Deno.test("a goal that nothing keeps has no plan", () => {
  const estimates = estimatesOf(inputFor({ float: true }, randomFrom(1)));
  assert.equal(solveGoal(estimates, { least: "loss", text: "", latency: 1e-9 }), undefined);
});

Deno.test("overrides of a plan place what was chosen", () => {
  const input = inputFor({ float: true, weightBits: [4] }, randomFrom(5));
  for (const choice of [usualChoice(input), storedChoice(input), [...allChoices(input)][7]]) {
    const overrides = overridesOf(input, choice, () => "because");
    const target = addOverrides(presetTarget("onnxruntime")!, [everything, ...overrides]);
    const { units, weights } = resolve(outline, target);
    const kinds = new Map(units.map(({ nodes, kind }) => [nodes[0], kind]));
    for (const [i, unit] of input.placement.units.entries()) {
      const { kind } = choice.units[i];
      assert.equal(kinds.get(unit.nodes[0]), kind === "integer" ? "integer" : "float", unit.node);
      const weight = weights.find(({ node }) => node === unit.nodes[0]);
      // Weights of 64 numbers are too few to be stored in codes.
      if (kind === "integer" && weight !== undefined) {
        assert.equal(weight.spec.bits, (choice.units[i] as { weightBits?: number }).weightBits);
      }
    }
  }
});

Deno.test("a unit that the user pins stays on integers, and one that he leaves float stays float", () => {
  const target = {
    ...addOverrides(presetTarget("onnxruntime")!, [
      everything,
      { match: { node: "Conv_c" }, compute: "integer" },
      { match: { node: "Conv_y" }, quantize: false },
    ]),
    options: { float: true },
  };
  const placement = asUsersWant(resolve(outline, target), target);
  const { units } = choicesOf(placement, target);
  const of = (node: string) =>
    units[placement.units.findIndex(({ nodes }) => nodes.includes(node))].map(({ kind }) => kind);
  assert.deepEqual(of("Conv_c"), ["integer"]);
  assert.deepEqual(of("Conv_y"), ["float"]);
  assert.deepEqual(of("Conv_a"), ["integer", "stored", "float"]);
});

Deno.test("work counts outputs, multiplications and weights, and tells kernels apart", () => {
  const { placement } = inputFor({}, randomFrom(1));
  const work = workOfUnits(outline, placement.units, () => ELEMENTS);
  const of = (node: string) => work[placement.units.findIndex(({ nodes }) => nodes.includes(node))];
  assert.deepEqual(of("Conv_a"), {
    outputs: ELEMENTS,
    multiplications: ELEMENTS * 72,
    weights: 576,
  });
  assert.deepEqual(of("Conv_c"), {
    outputs: ELEMENTS,
    multiplications: ELEMENTS * 9,
    weights: 72,
    kernel: "depthwise",
  });
  assert.equal(of("Conv_d").kernel, "pointwise");
  assert.equal(of("Add_e").multiplications, 0);
});

Deno.test("times follow the first rule that holds a unit", () => {
  const { placement } = inputFor({}, randomFrom(1));
  const work = workOfUnits(outline, placement.units, () => ELEMENTS);
  const { units } = estimateTimes(placement.units, work, {
    measured: "made up",
    quantize: 1,
    dequantize: 1,
    operators: [
      {
        operators: ["Conv"],
        kernel: "depthwise",
        float: { output: 1 },
        integer: { output: 0, multiplication: 2 },
      },
      { operators: ["Conv"], float: { output: 0, weight: 3 }, integer: { output: 5 } },
    ],
  });
  const of = (node: string) =>
    units[placement.units.findIndex(({ nodes }) => nodes.includes(node))];
  assert.deepEqual(of("Conv_c"), { float: ELEMENTS, integer: ELEMENTS * 18 });
  assert.deepEqual(of("Conv_a"), { float: 576 * 3, integer: ELEMENTS * 5 });
  assert.deepEqual(of("Add_e"), { float: 0, integer: 0 });
});

Deno.test("goals: decibels count from everything on integers, percent from nothing", () => {
  const usual = { loss: 0.001, size: 1000 };
  const decibels = goalOf({ maxLoss: { decibels: 10 } }, usual, true);
  assert.ok(Math.abs(decibels.loss! - 0.01) < 1e-12);
  assert.equal(decibels.least, "time");
  assert.equal(goalOf({ maxLoss: { part: 0.002 } }, usual, false).least, "size");
  assert.deepEqual([goalOf({}, usual, true).loss, goalOf({}, usual, true).least], [0.001, "time"]);
  assert.equal(goalOf({ bitsBudget: 5 }, usual, false).least, "loss");
  assert.equal(goalOf({}, usual, true).size, 1050, "hardly larger than everything on integers");
  assert.equal(goalOf({ maxSize: 5000 }, usual, true).size, 5000);
  assert.throws(() => goalOf({ maxLatency: 0.5 }, usual, false), /costs/);
});

Deno.test("of made models the best within the limits counts, else the one that exceeds them least", () => {
  const made = [
    { loss: 0.01, latency: 0.5, size: 100 },
    { loss: 0.001, latency: 0.9, size: 120 },
    { loss: null, latency: 0.1, size: 50 },
  ];
  assert.equal(bestOf(made, { least: "loss", text: "", latency: 0.6 }), 0);
  assert.equal(bestOf(made, { least: "loss", text: "", latency: 0.95 }), 1);
  assert.equal(bestOf(made, { least: "size", text: "", loss: 0.005 }), 1);
  assert.equal(bestOf(made, { least: "time", text: "", loss: 0.0001 }), 1);
  assert.ok(!isWithin(made[2], { least: "time", text: "", loss: 1 }));
});

Deno.test("what is fused into a unit stays float with it", () => {
  const linear = outlineGraph(
    model({
      nodes: [
        node("MatMul", ["x", "m"], ["p"]),
        node("Add", ["p", "bias"], ["q"]),
        node("MatMul", ["q", "n"], ["y"]),
      ],
      inputs: [value("x", [1, 4, 64])],
      outputs: [value("y", [1, 4, 64])],
      initializers: [weights("m", 64, 64), weights("bias", 64), weights("n", 64, 64)],
    }).graph,
  );
  const base = addOverrides(presetTarget("onnxruntime")!, [everything]);
  const { units } = resolve(linear, base);
  assert.deepEqual(units[0].nodes, ["MatMul_p", "Add_q"]);
  const { float, activations } = resolve(linear, addOverrides(base, leftFloat(units[0])));
  assert.deepEqual(float.map(({ node }) => node), ["MatMul_p", "Add_q"]);
  assert.deepEqual(activations.map(({ tensor }) => tensor), ["q"]);
});
