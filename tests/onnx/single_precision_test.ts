/** Models of float16 and float64 become float32 inside, and keep their inputs and outputs. */
import assert from "node:assert/strict";
import { fromHalf } from "../../onnx/file/half.ts";
import { readModel, writeModel } from "../../onnx/file/model.ts";
import { TensorProto_DataType } from "../../onnx/file/onnx_pb.ts";
import { restoreInterface, toSinglePrecision } from "../../onnx/prepare/single_precision.ts";
import { makeTensor } from "../../onnx/file/tensor.ts";
import { loadFloatModel, quantize } from "../../pipeline/quantize/quantize.ts";
import { presetTarget } from "../../tpc/targets/read_target.ts";
import { model, node, value } from "../support/onnx.ts";
import { sqnr } from "../support/quantize_architecture.ts";
import { floats, gaussian } from "../support/random.ts";

const { FLOAT, FLOAT16, DOUBLE } = TensorProto_DataType;
const random = gaussian(61);

/** Bits of the float16 nearest to a normal number. */
function toHalf(x: number): number {
  if (x === 0) return 0;
  const exponent = Math.max(-14, Math.floor(Math.log2(Math.abs(x))));
  const fraction = Math.round(Math.abs(x) / 2 ** exponent * 1024);
  return (x < 0 ? 0x8000 : 0) + ((exponent + 14) << 10) + fraction;
}

function weights(name: string, dims: number[], type: number) {
  const data = floats(dims.reduce((a, b) => a * b, 1), random);
  return type === DOUBLE
    ? makeTensor(name, dims, Float64Array.from(data))
    : makeTensor(name, dims, Uint16Array.from(data, toHalf), FLOAT16);
}

function network(type: number) {
  return model({
    nodes: [
      node("MatMul", ["x", "w"], ["a"]),
      node("Cast", ["a"], ["b"], { to: FLOAT }),
      node("Relu", ["b"], ["r"]),
      node("Cast", ["r"], ["c"], { to: type }),
      node("MatMul", ["c", "v"], ["y"]),
    ],
    inputs: [value("x", [1, 12], type)],
    outputs: [value("y", [1, 5], type)],
    initializers: [weights("w", [12, 9], type), weights("v", [9, 5], type)],
  });
}

Deno.test("fromHalf() knows all kinds of float16", () => {
  const cases: [number, number][] = [
    [0x3c00, 1],
    [0xc000, -2],
    [0x7bff, 65504],
    [0x0400, 2 ** -14],
    [0x0001, 2 ** -24],
    [0x83ff, -1023 * 2 ** -24],
    [0x7c00, Infinity],
    [0xfc00, -Infinity],
    [0x7e00, NaN],
    [0x3555, 0.333251953125],
  ];
  for (const [bits, x] of cases) assert.equal(fromHalf(bits), x, bits.toString(16));
});

for (const [name, type] of [["float16", FLOAT16], ["float64", DOUBLE]] as const) {
  Deno.test(`a model of ${name} is quantized and keeps its interface`, async () => {
    // Deno gives onnxruntime-node no arrays of 16-bit floats.
    const ort = await import("onnxruntime-web/wasm");
    const original = network(type);
    const file = writeModel(original);
    const float = await loadFloatModel(file, name);
    assert.match(float.notes[0], new RegExp(`^${name} converted to float32 inside`));
    const data = Array.from({ length: 12 }, () => floats(12, random));
    const samples = data.map((input, index) => ({
      index,
      id: `${index}`,
      input: { data: input, dims: [12] },
    }));
    const { model: quantized, manifest } = await quantize(float, ReadableStream.from(samples), {
      target: presetTarget("onnxruntime")!,
    });
    assert.equal(manifest.weights.length, 2);
    const { input, output } = readModel(quantized, name).graph;
    for (const info of [...input, ...output]) {
      assert.equal(info.type?.value.case === "tensorType" && info.type.value.value.elemType, type);
    }
    const [a, b] = [
      await ort.InferenceSession.create(file),
      await ort.InferenceSession.create(quantized),
    ];
    // The runtime takes the engine's own array where there is one.
    const { Float16Array: Halves } = globalThis as unknown as {
      Float16Array?: { from(values: Iterable<number>): Uint16Array };
    };
    const halvesOf = (x: Float32Array) => Halves?.from(x) ?? Uint16Array.from(x, toHalf);
    const feed = (x: Float32Array) => ({
      x: type === DOUBLE
        ? new ort.Tensor("float64", Float64Array.from(x), [1, 12])
        : new ort.Tensor("float16", halvesOf(x), [1, 12]),
    });
    const numbers = ({ data }: { data: unknown }) =>
      type === DOUBLE
        ? Float32Array.from(data as Float64Array)
        : Float32Array.from(data as Iterable<number>, (y) =>
          data instanceof Uint16Array ? fromHalf(y) : y);
    const [expected, found] = [[] as number[], [] as number[]];
    for (const x of data) {
      expected.push(...numbers((await a.run(feed(x))).y));
      found.push(...numbers((await b.run(feed(x))).y));
    }
    const decibels = sqnr(Float32Array.from(expected), Float32Array.from(found));
    assert.ok(decibels > 28, `${decibels} dB`);
  });
}

Deno.test("toSinglePrecision() leaves float32 models alone, also with float64 inside", () => {
  const plain = model({
    nodes: [
      node("Cast", ["x"], ["d"], { to: DOUBLE }),
      node("Mul", ["d", "two"], ["e"]),
      node("Cast", ["e"], ["f"], { to: FLOAT }),
      node("MatMul", ["f", "w"], ["y"]),
    ],
    inputs: [value("x", [1, 4])],
    outputs: [value("y", [1, 3])],
    initializers: [
      makeTensor("two", [], Float64Array.of(2)),
      makeTensor("w", [4, 3], floats(12, random)),
    ],
  });
  const { model: same, note } = toSinglePrecision(plain);
  assert.equal(same, plain);
  assert.equal(note, undefined);
  assert.equal(restoreInterface(plain, new Map()), plain);
});
