/** Constants that nodes compute: bounded before they are computed, and what the runtime refuses is the model's fault. */
import assert from "node:assert/strict";
import { prepareModel } from "../../onnx/prepare/prepare.ts";
import { ROOM_BYTES } from "../../onnx/prepare/fold_constants.ts";
import { makeTensor } from "../../onnx/file/tensor.ts";
import { runConstants } from "../../pipeline/inference/default_runtime.ts";
import { model, node, value } from "../support/onnx.ts";
import { integers, operators, scalar, weights } from "../support/rewrite.ts";

function computing(
  nodes: ReturnType<typeof node>[],
  ...initializers: ReturnType<typeof weights>[]
) {
  return model({
    inputs: [value("x", ["N", 4])],
    outputs: [value("y", ["N", 4])],
    initializers,
    nodes: [...nodes, node("Add", ["x", "k"], ["y"])],
  });
}

const sum = node("ReduceSum", ["e"], ["k"], { keepdims: 0 });
const LARGE = {
  ConstantOfShape: computing(
    [node("ConstantOfShape", ["s"], ["e"]), sum],
    integers("s", [1000, 1000, 800]),
  ),
  Expand: computing(
    [node("Expand", ["o", "s"], ["e"]), sum],
    scalar("o", 1),
    integers("s", [2000, 1000, 1000]),
  ),
  Range: computing(
    [node("Range", ["a", "b", "c"], ["e"]), sum],
    ...[scalar("a", 0), scalar("b", 6e8), scalar("c", 1)],
  ),
  Tile: computing(
    [node("Tile", ["o", "s"], ["e"]), sum],
    weights("o", 10),
    integers("s", [2 ** 30]),
  ),
  Pad: computing(
    [node("Pad", ["o", "s"], ["e"]), sum],
    weights("o", 10),
    integers("s", [0, 2 ** 30]),
  ),
  // A size that is computed itself, and so known a round later.
  "a computed size": computing(
    [node("Mul", ["s", "s"], ["t"]), node("ConstantOfShape", ["t"], ["e"]), sum],
    integers("s", [40000]),
  ),
  // What the file says of it is no bound.
  "a small size in the file": (() => {
    const lying = computing(
      [node("Expand", ["o", "s"], ["e"]), sum],
      scalar("o", 1),
      integers("s", [2 ** 32]),
    );
    lying.graph.valueInfo.push(value("e", [1]));
    return lying;
  })(),
  "many at once": computing(
    [
      ...Array.from({ length: 40 }, (_, i) => node("ConstantOfShape", ["s"], [`e${i}`])),
      node("Sum", Array.from({ length: 40 }, (_, i) => `e${i}`), ["e"]),
      sum,
    ],
    integers("s", [2 ** 20]),
  ),
};

for (const [name, large] of Object.entries(LARGE)) {
  Deno.test(`a huge result of ${name} is refused before it is computed`, async () => {
    let computed = 0;
    const run: typeof runConstants = async (part) => {
      const tensors = await runConstants(part);
      computed += tensors.reduce((bytes, { rawData }) => bytes + rawData.length, 0);
      return tensors;
    };
    await assert.rejects(
      prepareModel(large, run),
      new RegExp(`computing constants of the model.*wanted at most \\d+ bytes.*and ${ROOM_BYTES}`),
    );
    assert.ok(computed < 1000);
  });
}

Deno.test("sizes that are computed take rounds, and all of it is folded", async () => {
  const deep = computing(
    [
      node("Shape", ["w"], ["sw"]),
      node("ConstantOfShape", ["sw"], ["z"]),
      node("Add", ["w", "z"], ["a"]),
      node("NonZero", ["a"], ["nz"]),
      node("Shape", ["nz"], ["sn"]),
      node("Expand", ["one", "sn"], ["e"]),
      sum,
    ],
    weights("w", 4, 4),
    scalar("one", 1),
  );
  assert.deepEqual(operators(await prepareModel(deep, runConstants)), ["Add"]);
});

Deno.test("what the runtime refuses is the model's fault", async () => {
  const odd = computing(
    [node("Add", ["a", "b"], ["k"])],
    weights("a", 4),
    makeTensor("b", [4], BigInt64Array.of(1n, 2n, 3n, 4n)),
  );
  await assert.rejects(prepareModel(odd, runConstants), (error) => {
    assert.equal((error as { kind?: string }).kind, "model");
    assert.match(
      String(error),
      /computing constants of the model \(Add\).*onnxruntime-web to accept/,
    );
    return true;
  });
});
