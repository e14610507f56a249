/** The table of operators: complete, as old as ONNX says, and true. */
import assert from "node:assert/strict";
import { fromBinary } from "@bufbuild/protobuf";
import { TensorProtoSchema } from "../../onnx/file/onnx_pb.ts";
import type { Tensor } from "../../core/tensor.ts";
import { type Model, parseModel, withFields } from "../../onnx/file/model.ts";
import { dimensions, tensorData } from "../../onnx/file/tensor.ts";
import { viewNode } from "../../onnx/graph/node_view.ts";
import { createSession } from "../../pipeline/inference/default_runtime.ts";
import { indexGraph } from "../../onnx/graph/graph_index.ts";
import type { Operator } from "../../onnx/operators/operator.ts";
import { inferShapes } from "../../onnx/operators/infer_shapes.ts";
import { inferTypes } from "../../onnx/operators/infer_types.ts";
import {
  clampRange,
  dataInputs,
  homogeneityOf,
  isNonNegative,
  keptBy,
  OPAQUE,
  operatorNamed,
  OPERATORS,
} from "../../onnx/operators/operators.ts";
import onnx from "./onnx_operators.json" with { type: "json" };

interface Published {
  readonly since: number;
  readonly until?: number;
  /** Most inputs; −1 for any number. */
  readonly inputs: number;
  readonly defaults: Readonly<Record<string, string | number>>;
}
const published = new Map(Object.entries(onnx.operators as Record<string, Published>));

/** What a property of a record is, in one word. */
function word(value: unknown): string {
  if (value === undefined) return "·";
  if (value === true) return "yes";
  if (typeof value === "function") return value.name === "" ? "rule" : value.name;
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

const PROPERTIES = [
  ...["since", "shape", "types", "data", "weights", "range", "clamp", "keeps", "joins"],
  ...["homogeneous", "nonNegativeWith", "passesMask", "isCommutative", "isLinear", "isRandom"],
  ...["makesNoTensors", "hasSettings", "isQuantized", "defaults", "until"],
] as const satisfies readonly (keyof Operator)[];

Deno.test("the table describes each operator of ONNX, or says why it doesn't", () => {
  const rows = Object.entries(OPERATORS).toSorted().map(([name, operator]) =>
    [name, ...PROPERTIES.map((property) => word(operator[property]))].join(" | ")
  );
  // deno-lint-ignore no-console -- the table is for reading; --quiet hides it
  console.log([["operator", ...PROPERTIES].join(" | "), ...rows].join("\n"));
  const holes = [...published.keys()].filter((name) =>
    operatorNamed(name) === undefined && !Object.hasOwn(OPAQUE, name)
  );
  assert.deepEqual(holes, [], "add a record to the file of their kind in onnx/operators/");
  for (const name of Object.keys(OPAQUE)) assert.equal(operatorNamed(name), undefined, name);
  // The test's own list of properties is whole, too.
  const known = new Set<string>(PROPERTIES);
  for (const [name, operator] of Object.entries(OPERATORS)) {
    assert.deepEqual(Object.keys(operator).filter((key) => !known.has(key)), [], name);
  }
});

Deno.test("records have the age, inputs and attributes that ONNX gives their operators", () => {
  for (const [name, { since, until, inputs, defaults }] of published) {
    const operator = operatorNamed(name);
    if (operator === undefined) continue;
    assert.deepEqual([operator.since, operator.until], [since, until], name);
    const positions = [...operator.data ?? [], operator.weights?.input, operator.weights?.bias];
    for (const at of positions) assert.ok(at === undefined || inputs < 0 || at < inputs, name);
    for (const [attribute, value] of Object.entries(operator.defaults ?? {})) {
      const expected = defaults[attribute];
      const isClose = typeof value === "number" && typeof expected === "number" &&
        Math.fround(value) === Math.fround(expected);
      assert.ok(isClose || value === expected, `${name}: ${attribute} is ${expected} in ONNX`);
    }
  }
});

/** Folder of the onnx package's models of single nodes, where Python has it. */
const examples = await new Deno.Command("python3", {
  args: ["-c", "import onnx.backend.test as t, os; print(os.path.dirname(t.__file__))"],
  // Here the folder onnx/ would be taken for the package.
  cwd: "tests",
}).output().then(
  ({ success, stdout }) =>
    success ? `${new TextDecoder().decode(stdout).trim()}/data/node` : undefined,
  () => undefined,
);

Deno.test({
  name: `rules of types and shapes agree with ONNX's own examples of each operator${
    examples === undefined ? " (skipped: no Python with onnx)" : ""
  }`,
  ignore: examples === undefined,
  fn: async () => {
    const seen = new Set<string>();
    for await (const { name } of Deno.readDir(examples!)) {
      const model = parseModel(await Deno.readFile(`${examples}/${name}/model.onnx`), name);
      const { node: [node], output } = model.graph;
      if (model.graph.node.length > 1 || operatorNamed(node.opType) === undefined) continue;
      seen.add(node.opType);
      const bare = withFields(model.graph, { output: [], valueInfo: [] });
      const index = indexGraph(model.graph);
      const [types, shapes] = [inferTypes(bare, index), inferShapes(bare, index)];
      for (const { name: tensor, type } of output) {
        if (type?.value.case !== "tensorType") continue;
        const { elemType, shape } = type.value.value;
        assert.equal(types.get(tensor) ?? elemType, elemType, `type of ${tensor} of ${name}`);
        const found = shapes.get(tensor);
        if (found === undefined || shape === undefined) continue;
        assert.equal(found.length, shape.dim.length, `rank of ${tensor} of ${name}`);
        found.forEach((size, axis) => {
          const { value } = shape.dim[axis];
          if (size === undefined || value.case !== "dimValue") return;
          assert.equal(size, Number(value.value), `axis ${axis} of ${tensor} of ${name}`);
        });
      }
    }
    assert.ok(seen.size > 150, `${seen.size} operators`);
  },
});

/** One of ONNX's examples: a model, and what it is run with. */
function feedsOf(folder: string, { graph }: Model): Map<string, Tensor> {
  return new Map(graph.input.map(({ name }, i) => {
    const file = `${folder}/test_data_set_0/input_${i}.pb`;
    const tensor = fromBinary(TensorProtoSchema, Deno.readFileSync(file));
    return [name, { data: tensorData(tensor), dims: dimensions(tensor) } as unknown as Tensor];
  }));
}

Deno.test({
  name: `what the table claims of an operator is true of ONNX's examples in the runtime${
    examples === undefined ? " (skipped: no Python with onnx)" : ""
  }`,
  ignore: examples === undefined,
  fn: async () => {
    const checked = new Map<string, number>();
    for await (const { name } of Deno.readDir(examples!)) {
      const model = parseModel(await Deno.readFile(`${examples}/${name}/model.onnx`), name);
      const { graph } = model;
      const [node] = graph.node;
      const view = viewNode(node);
      const operator = operatorNamed(node.opType);
      const first = graph.input[0]?.type?.value;
      const isFloat = first?.case === "tensorType" && first.value.elemType === 1;
      if (graph.node.length > 1 || operator === undefined || !isFloat) continue;
      let feeds: Map<string, Tensor>;
      await using stack = new AsyncDisposableStack();
      let run: (feeds: Map<string, Tensor>) => Promise<Float32Array>;
      try {
        feeds = feedsOf(`${examples}/${name}`, model);
        const session = stack.use(await createSession(model, { name }));
        run = async (feeds) =>
          (await session.run(feeds, session.outputs)).get(node.output[0])!.data as Float32Array;
        await run(feeds);
      } catch {
        // An operator, a type or an opset that the runtime doesn't have.
        continue;
      }
      const constants = {
        numbers: (input = "") => {
          const data = feeds.get(input)?.data;
          return data && Array.from<number | bigint, number>(data, Number);
        },
      };
      const changed = (change: (x: number) => number, inputs = [view.inputs[0]]) =>
        new Map([...feeds].map(([input, tensor]) => [
          input,
          inputs.includes(input) && tensor.data instanceof Float32Array
            ? { ...tensor, data: tensor.data.map(change) }
            : tensor,
        ]));
      const compare = (found: Float32Array, wanted: Float32Array, what: string) => {
        found.forEach((value, i) =>
          assert.ok(
            Math.abs(value - wanted[i]) <= 1e-4 * Math.max(1, Math.abs(wanted[i])) ||
              Object.is(value, wanted[i]),
            `${name}: ${what}: ${value} and ${wanted[i]}`,
          )
        );
        checked.set(what, (checked.get(what) ?? 0) + 1);
      };
      const y = await run(feeds);
      if (!(y instanceof Float32Array)) continue;
      if (homogeneityOf(view, constants) !== undefined) {
        compare(await run(changed((x) => 4 * x)), y.map((value) => 4 * value), "homogeneous");
      }
      const kept = keptBy(view);
      if (kept !== undefined) compare(await run(changed((x) => x + 8)), y.map((v) => v + 8), kept);
      if (kept === "elements") {
        const elements = new Set(feeds.get(view.inputs[0])!.data as Float32Array);
        assert.ok(y.every((value) => elements.has(value)), `${name}: elements of the input`);
      }
      const [low, high] = operator.range ?? clampRange(view, constants) ?? [-Infinity, Infinity];
      // Of crossed bounds a Clip gives the upper one.
      const isInside = (value: number) => Number.isNaN(value) || value >= low && value <= high;
      assert.ok(low > high || y.every(isInside), name);
      const positive = await run(changed(Math.abs, dataInputs(view)));
      if (isNonNegative(view, constants, () => true)) {
        assert.ok(positive.every((value) => Number.isNaN(value) || value >= 0), name);
        checked.set("non-negative", (checked.get("non-negative") ?? 0) + 1);
      }
    }
    for (const what of ["homogeneous", "elements", "means", "non-negative"]) {
      assert.ok((checked.get(what) ?? 0) > 10, `${what}: ${checked.get(what)} examples`);
    }
  },
});
