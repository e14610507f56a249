/** What the report page is made of: numbers against their sources, graph positions, escaping, purity. */
import assert from "node:assert/strict";
import type { Manifest } from "../../../tpc/manifest.ts";
import type { Recipe } from "../../../tpc/recipe/recipe.ts";
import { quantize } from "../../../pipeline/quantize/quantize.ts";
import { cellCounts } from "../../../pipeline/report/cells.ts";
import { collectReport } from "../../../pipeline/report/page/collect.ts";
import type { ReportData } from "../../../pipeline/report/page/data.ts";
import { neighbours } from "../../../pipeline/report/page/neighbours.ts";
import { parseDiagnosis, parseEvaluation } from "../../../pipeline/report/page/read.ts";
import { renderReport, reportPage } from "../../../pipeline/report/page/render.ts";
import { suspects } from "../../../pipeline/report/page/suspects.ts";
import { errorOfGrid, searchThreshold } from "../../../pipeline/search/search_threshold.ts";
import { readPlim } from "../../../pipeline/statistics/plim.ts";
import { createNaiveHistogramCore } from "../../../wasm/mod.ts";
import { demoModel, demoSamples } from "../../support/demo.ts";

async function demo(recipe: Recipe = {}) {
  const result = await quantize(await demoModel(), await demoSamples(24), recipe);
  return { ...result, statistics: await readPlim(result.statistics, "statistics.plim") };
}

let { manifest, statistics } = {} as Awaited<ReturnType<typeof demo>>;
let data: ReportData;

Deno.test.beforeAll(async () => {
  ({ manifest, statistics } = await demo());
  data = collectReport({ title: "demo", manifest, statistics });
});

Deno.test("every activation has the thresholds of every method that the search gives", () => {
  for (const [i, activation] of data.activations.entries()) {
    const source = manifest.activations[i];
    if (source.sameAs !== undefined) {
      assert.equal(data.activations[activation.sameAs!].tensor, source.sameAs);
      continue;
    }
    const { histogram } = statistics.tensors.find(({ tensor }) => tensor === source.tensor)!;
    assert.deepEqual(
      activation.seen!.methods.map(({ method, threshold }) => [method, threshold]),
      activation.seen!.methods.map(({ method }) => {
        const { bits, constraint, signed } = source;
        const spec = { bits, constraint, signed: signed ? "yes" : "no", error: method } as const;
        return [method, searchThreshold(histogram, spec).threshold];
      }),
    );
    const chosen = activation.seen!.methods.filter(({ isChosen }) => isChosen);
    assert.equal(chosen.length, 1);
    assert.equal(chosen[0].threshold, source.threshold);
    assert.equal(activation.seen!.methods.length, 7);
  }
});

Deno.test("curves are those of the parameters that a grid was chosen with", async () => {
  // Uniform grids, whose curves the report works out; another exponent for one tensor, since odd ones take seconds.
  const { manifest, statistics } = await demo({
    ...{ target: "onnxruntime", percentile: 99, zThreshold: 4 },
    overrides: [{ match: { tensor: "image" }, activation: { error: "lp", lpP: 2.5 } }],
  });
  const some = { ...manifest, activations: manifest.activations.slice(0, 6) };
  const { activations } = collectReport({ title: "demo", manifest: some, statistics });
  let compared = 0;
  for (const { tensor, seen, constraint, method, bits } of activations) {
    if (seen === undefined) continue;
    const { histogram } = statistics.tensors.find((entry) => entry.tensor === tensor)!;
    const spec = { bits, constraint, signed: "auto", zThreshold: 4, lpP: 2.5 } as const;
    const own = { ...spec, error: method };
    const error = errorOfGrid(histogram, own, searchThreshold(histogram, own).levels)!;
    const { curve } = seen.methods.find(({ isChosen }) => isChosen)!;
    assert.ok(curve.some(([, value]) => Math.abs(value / error - 1) < 1e-5), tensor);
    const { threshold } = searchThreshold(histogram, {
      ...{ ...spec, error: "percentile", percentile: 99 },
    });
    const percentile = seen.methods.find(({ method }) => method === "percentile")!;
    assert.equal(percentile.threshold, Number(threshold.toPrecision(6)), tensor);
    compared++;
  }
  assert.equal(activations[0].method, "lp");
  assert.ok(compared > 3);
});

Deno.test("cells hold all elements, and the least error is a point of its curve", () => {
  for (const { seen } of data.activations) {
    if (seen === undefined) continue;
    const sum = seen.cells.counts.reduce((total, count) => total + count, 0);
    assert.ok(Math.abs(sum / seen.elements - 1) < 1e-3, `${sum} of ${seen.elements}`);
    for (const { curve, error, threshold, method } of seen.methods) {
      if (curve.length === 0) continue;
      const least = Math.min(...curve.map(([, value]) => value));
      assert.ok(curve.some(([at, value]) => at === threshold && value === least), method);
      assert.equal(least, error);
    }
  }
});

Deno.test("cells share out bins that a border cuts", () => {
  const accumulator = createNaiveHistogramCore().create();
  accumulator.observe(Float32Array.of(-3, -1, 0, 0.5, 0.75, 1, 2, 100));
  const counts = cellCounts(accumulator.data(), { low: -4, high: 4, size: 8 });
  assert.equal(Math.round(counts.reduce((a, b) => a + b)), 7, "100 is outside");
  assert.ok(counts[1] + counts[0] > 0.99, "−3 is in one of the first two");
});

Deno.test("positions in the graph skip what isn't quantized and agree in both directions", () => {
  const node = (name: string, inputs: string[], outputs: string[]) => ({
    ...{ name, op: "Op", domain: "", inputs, outputs, attributes: {}, captures: [] },
  });
  const outline = {
    inputs: [],
    outputs: [],
    constants: {},
    nodes: [
      node("n1", ["x", "w"], ["a"]),
      node("n2", ["a"], ["hidden"]),
      node("n3", ["hidden", "x"], ["b"]),
    ],
  };
  const found = neighbours(outline, ["x", "a", "b"]);
  assert.deepEqual(found.map(({ from }) => from), [[], [0], [0, 1]]);
  assert.deepEqual(found.map(({ to }) => to), [[1, 2], [2], []]);
  assert.deepEqual(found[0].readers.map(({ name }) => name), ["n1", "n3"]);
});

Deno.test("ranges of channels are what the codes hold, and no weight is outside by more than half a step", () => {
  for (const [i, { ranges }] of data.weights.entries()) {
    const { steps, bits } = manifest.weights[i];
    const expected = steps!.scales.map((scale) => scale * (2 ** (bits - 1) - 1));
    assert.equal(ranges.length, expected.length);
    ranges.forEach((range, c) => assert.ok(Math.abs(range / expected[c] - 1) < 1e-5));
  }
});

Deno.test("suspects are the quantizers of lowest SQNR, with what would help", () => {
  const ratios = data.suspects.map(({ sqnr }) => sqnr);
  assert.deepEqual(ratios, [...ratios].sort((a, b) => a - b));
  const all = [
    ...data.activations.map(({ seen }) => seen?.sqnr),
    ...data.weights.map(({ sqnr }) => sqnr),
  ];
  assert.equal(ratios[0], Math.min(...all.filter((value) => typeof value === "number")));

  const worse = data.activations.map((activation, i) =>
    i !== 2 ? activation : {
      ...activation,
      seen: { ...activation.seen!, sqnr: 3, clippedFraction: 0.25 },
    }
  );
  const [first] = suspects(worse, data.weights);
  assert.deepEqual([first.kind, first.index], ["activation", 2]);
  assert.ok(
    first.why.some((text) => text.startsWith("25 % of the elements are clipped")),
    `${first.why}`,
  );
  const uneven = { ...data.weights[0], sqnr: 2, ranges: [1, 0.001] };
  assert.match(suspects([], [uneven])[0].why.join(), /1000 times as wide/);
});

Deno.test("where a target fixes the range, no other method is offered", async () => {
  const fixed = manifest.activations.map((activation) => ({ ...activation, fixed: true as const }));
  const report = collectReport({
    title: "fixed",
    manifest: { ...manifest, activations: fixed },
    statistics,
  });
  for (const { seen } of report.activations) {
    assert.ok(seen === undefined || seen.methods.length === 1);
  }
  const { activations } = (await demo({ target: "tflite" })).manifest;
  assert.ok(activations.every(({ fixed, producer }) => fixed === undefined || producer !== null));
});

Deno.test("uniform grids have a curve of both ends, least at the choice or beside it", async () => {
  const uniform = await demo({ target: "onnxruntime" });
  const { activations } = collectReport({ title: "uniform", ...uniform });
  let judged = 0;
  for (const { seen, constraint } of activations) {
    if (seen === undefined) continue;
    assert.equal(constraint, "uniform");
    for (const { curve, threshold, method } of seen.methods) {
      if (curve.length === 0 || method === "kl") continue;
      judged++;
      const [at] = curve.reduce((a, b) => b[1] < a[1] ? b : a);
      assert.ok(Math.abs(Math.log2(at / threshold)) < 0.5, `${method}: ${at} for ${threshold}`);
    }
  }
  assert.ok(judged > 50);
});

Deno.test("the page is a pure function, carries its data, and asks for nothing", () => {
  const page = reportPage({ title: "demo", manifest, statistics });
  assert.equal(page, reportPage({ title: "demo", manifest, statistics }));
  assert.deepEqual(dataOf(page), JSON.parse(JSON.stringify(data)));
  assert.ok(page.length < 3e6, `${page.length} characters`);
  // What the script does is watched in Chromium, tests/apps/browser/report_test.ts.
  const markup = page.replaceAll(/<script\b.*?<\/script>/gs, "");
  assert.doesNotMatch(markup, /<(link|img|iframe|object|embed)\b|\bsrc=|@import|url\(/);
  assert.match(markup, /default-src 'none'/);
});

Deno.test("names from models and files are escaped", () => {
  const evil = `</script><img src=x onerror=alert(1)>"'&<!--`;
  const rename = (entry: Manifest["activations"][number]) => ({ ...entry, reason: [evil] });
  const page = reportPage({
    title: evil,
    manifest: { ...manifest, activations: manifest.activations.map(rename) },
    statistics,
  });
  assert.equal(page.split("</script>").length, 3, "two scripts, and no more ends of scripts");
  assert.doesNotMatch(page, /<img/);
  assert.equal(dataOf(page).title, evil);
  assert.deepEqual(dataOf(page).activations[0].reason, [evil]);
});

Deno.test("evaluations of quantize and comparisons of compare are read, and nothing else", () => {
  const evaluation = {
    ...{ name: "float", samples: 9, top1: 0.5, top5: 1, loss: 1, agreement: 1, sqnr: null },
    cosine: 1,
    classes: [],
  };
  const difference = { difference: -0.1, interval: [-0.2, 0.1], p: 0.5 };
  const variant = {
    evaluation: { ...evaluation, name: "mse" },
    bytes: 5,
    againstFloat: difference,
  };
  const files = [
    { models: [evaluation, variant.evaluation] },
    { float: { evaluation, bytes: 9, againstFloat: null }, variants: [variant] },
  ];
  const rows = files.map((file) => {
    const parsed = parseEvaluation(file, "x.json");
    return collectReport({ title: "t", manifest, statistics, evaluation: parsed }).accuracy!.models;
  });
  assert.deepEqual(rows.map((models) => models.map(({ name }) => name)), [["float", "mse"], [
    "float",
    "mse",
  ]]);
  assert.deepEqual(rows[1][1].difference, { value: -0.1, low: -0.2, high: 0.1 });
  assert.throws(() => parseEvaluation({ models: [] }, "x.json"), /reading "x.json" for a report/);
  assert.throws(() => parseDiagnosis({ schemaVersion: 2 }, "y.json"), /diagnosis\.json/);
});

Deno.test("a diagnosis goes to its activations, and its remedies into the page", () => {
  const [{ tensor }] = data.activations;
  const error = { sqnr: 12.5, cosine: 0.9, maxAbs: 3 };
  const report = collectReport({
    ...{ title: "t", manifest, statistics },
    diagnosis: {
      ...{ schemaVersion: 1, samples: 4, data: "evaluation", missing: [], worst: [tensor] },
      tensors: [{
        ...{ tensor, producer: null, isFault: false, quantizer: null, elements: 9 },
        accumulated: error,
        local: { ...error, sqnr: null },
      }],
      output: { tensor: "y", ...error },
      remedies: {
        current: { sqnr: 12.5, agreement: 1, top1: null },
        tried: [{
          ...{
            tensor,
            kind: "bits",
            change: "16 bits",
            sqnr: 14,
            gain: 1.5,
            agreement: 1,
            top1: null,
          },
          override: { match: { tensor }, activation: { bits: 16 } },
        }],
      },
    },
  });
  assert.deepEqual(report.activations[0].measured, {
    ...{ isFault: false, local: null, accumulated: 12.5, cosine: 0.9, maxAbs: 3 },
  });
  assert.equal(report.activations[1].measured, undefined);
  assert.equal(report.diagnosis!.remedies[0].gain, 1.5);
  assert.deepEqual(JSON.parse(report.diagnosis!.remedies[0].override).match, { tensor });
});

Deno.test("renderReport shows an empty report rather than failing", () => {
  const empty: ReportData = {
    ...data,
    ...{ activations: [], weights: [], float: [], suspects: [] },
  };
  assert.match(renderReport(empty), /^<!DOCTYPE html>/);
});

function dataOf(page: string): ReportData {
  return JSON.parse(/id="data">(.*?)<\/script>/s.exec(page)![1]);
}
