/** The table of a comparison, with and without labels. */
import assert from "node:assert/strict";
import { compareModels } from "../../../pipeline/compare/comparison.ts";
import type { ModelEvaluation } from "../../../pipeline/evaluate/evaluate.ts";
import { HitList } from "../../../pipeline/evaluate/hit_list.ts";
import { comparisonReport } from "../../../pipeline/report/comparison.ts";

function hits(text: string): HitList {
  const list = new HitList();
  for (const mark of text) list.push(mark === "1");
  return list;
}

function measured(name: string, top1: number | null, hit: string, loss = 0.5) {
  const evaluation: ModelEvaluation = {
    ...{ name, samples: 40, top1, top5: top1 === null ? null : 1, loss: top1 && loss },
    ...{ outputs: [], agreement: 0.75, sqnr: -1.25, cosine: 0.987654321 },
    classes: hit === "" ? [] : [{ label: 0, name: "a", samples: hit.length, top1: 1 }],
  };
  return { evaluation, hits: hits(hit), bytes: 184_321 };
}

const one = "1".repeat(30);

Deno.test("differences that may be chance are marked, the others aren't", () => {
  const comparison = compareModels([
    measured("float", 1, one + "1111111111"),
    measured("good", 0.975, one + "1111111110"),
    measured("even", 0.975, one + "1111111101", 0.4),
    measured("bad", 0.8, one + "1100000000"),
  ]);
  assert.deepEqual(
    comparison.models.map(({ againstFloat }) =>
      againstFloat && [againstFloat.lost, Number(againstFloat.p.toFixed(6))]
    ),
    [null, [1, 1], [1, 1], [8, 0.007813]],
  );
  assert.equal(comparison.best?.name, "even", "of equal ones that with the least loss");
  const text = comparisonReport({ ...comparison, latency: [1, 0.5, 0.5, 0.25] });
  const line = (name: string) => text.split("\n").find((row) => row.startsWith(name))!;
  assert.match(
    line("good"),
    /97\.50 % +−2\.50 \[−12\.88, \+6\.\d\d\] ≈ +100\.00 % +0\.500 +−1\.\d dB/,
  );
  assert.match(line("bad"), /−20\.00 \[−34\.\d+, −\d+\.\d+\] {3}/);
  assert.ok(!line("bad").includes("≈"));
  assert.match(
    text,
    /Best top-1: even; against it\n {2}≈ {2}good +0\.00 \[.*\] {2}p = 1\.0\n {5}bad +−17\.50 .* p = 0\.016\n/,
  );
  assert.match(text, /exact McNemar test.*p ≥ 0\.05; 40 samples/);
});

Deno.test("without labels there are SQNR, cosine and agreement only", () => {
  const comparison = compareModels([measured("float", null, ""), measured("mse", null, "")]);
  assert.equal(comparison.best, null);
  assert.equal(comparison.models[1].againstFloat, null);
  const text = comparisonReport({ ...comparison, latency: [] });
  assert.match(text, /^model +SQNR +cosine +agreement +size +latency\n/);
  assert.match(text, /mse +−1\.\d dB +0\.98765 +75\.00 % +184 kB +–\n/);
  assert.ok(!/top|McNemar|Best/.test(text), text);
});

Deno.test("of many variants the nearest six are shown", () => {
  const variants = Array.from(
    { length: 9 },
    (_, i) => measured(`v${i}`, (40 - i) / 40, one + "1".repeat(10 - i) + "0".repeat(i)),
  );
  const comparison = compareModels([
    measured("float", 1, one + "1".repeat(10)),
    ...variants.reverse(),
  ]);
  const text = comparisonReport({ ...comparison, latency: [] });
  assert.match(
    text,
    /Best top-1: v0; against it\n {2}≈ {2}v1 [^]*\n {5}v6 .*\n {5}and 2 more, 0 of them ≈\n$/,
  );
});
