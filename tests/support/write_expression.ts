/** Writes an expression of composites as a model, with every choice that its parts leave. */
import { create } from "@bufbuild/protobuf";
import { type NodeProto, type TensorProto, ValueInfoProtoSchema } from "../../onnx/file/onnx_pb.ts";
import { makeTensor } from "../../onnx/file/tensor.ts";
import type { Model } from "../../onnx/file/model.ts";
import type { Expression } from "../../tpc/targets/expression.ts";
import { model, node, value } from "./onnx.ts";

/** Which of its options each part takes; the first where none is named. */
export type Choices = Readonly<Record<string, number>>;

/** Dimensions of the input: samples, channels in two groups, elements. */
export const DIMS = [2, 4, 6];
const EPSILON = 1e-5;

/** A written expression, and which parts with how many options it took. */
interface Written {
  readonly model: Model;
  readonly taken: ReadonlyMap<string, number>;
}

/** The expression as a model from x to y. Constants are such that gains are `gain` and offsets as good as 0. */
export function writeExpression(form: Expression, choices: Choices, gain: number): Written {
  const nodes: NodeProto[] = [];
  const initializers: TensorProto[] = [];
  const taken = new Map<string, number>();
  let count = 0;
  const constant = (data: Float32Array | BigInt64Array, dims: number[]): string => {
    const name = `c${count++}`;
    initializers.push(makeTensor(name, dims, data));
    return name;
  };
  const scalar = (x: number) => constant(Float32Array.of(x), []);
  const shape = (sizes: number[]) => constant(BigInt64Array.from(sizes, BigInt), [sizes.length]);
  /** The node or leaf that stands for an expression once its parts are chosen. */
  const chosen = (part: Expression): Exclude<Expression, { kind: "choice" }> => {
    if (part.kind !== "choice") return part;
    taken.set(part.part, part.options.length);
    return chosen(part.options[choices[part.part] ?? 0]);
  };
  const write = (part: Expression, parent: string, siblings: readonly Expression[]): string => {
    const now = chosen(part);
    if (now.kind === "input") return "x";
    if (now.kind === "constant") {
      if (now.value !== undefined) return scalar(now.value);
      const isOfSum = siblings.map(chosen).some((other) =>
        other.kind === "node" && other.op === "ReduceSum"
      );
      if (parent === "InstanceNormalization") {
        const isScale = siblings.indexOf(part) === 1;
        return constant(new Float32Array(2).fill(isScale ? 1 : 0), [2]);
      }
      if (parent === "Mul") return scalar(isOfSum ? 1 / DIMS[2] : gain);
      return scalar(parent === "Div" ? DIMS[2] : parent === "Add" ? EPSILON : 0);
    }
    if (now.kind === "shape") {
      if (parent === "Unsqueeze") return shape([0]);
      const whole = chosen(siblings[0]);
      if (whole.kind === "input") return shape([0, 2, -1]);
      const isOfGroups = whole.kind === "node" && whole.op === "InstanceNormalization";
      return shape(isOfGroups ? DIMS : parent === "Reshape" ? [2, 4, 1] : [1, 1, 1]);
    }
    const args = now.args.map((arg) => write(arg, now.op, now.args));
    const output = `t${count++}`;
    const reduces = now.op.startsWith("Reduce");
    if (reduces) args.push(shape([-1]));
    nodes.push(node(now.op, args, [output], Object.fromEntries(now.attributes)));
    return output;
  };
  write(form, "", []);
  nodes.at(-1)!.output = ["y"];
  // Of no declared shape: an Unsqueeze may give it an axis more.
  const y = create(ValueInfoProtoSchema, {
    name: "y",
    type: { value: { case: "tensorType", value: { elemType: 1 } } },
  });
  return {
    taken,
    model: model({
      nodes,
      inputs: [value("x", DIMS)],
      outputs: [y],
      initializers,
      opset: 18,
    }),
  };
}

/** Every model that a form stands for, each option of each part in one at least. */
export function* allWritten(form: Expression, gain: number): Iterable<[Choices, Model]> {
  const open: Choices[] = [{}];
  const seen = new Set<string>();
  for (let choices = open.shift(); choices !== undefined; choices = open.shift()) {
    const { model, taken } = writeExpression(form, choices, gain);
    yield [choices, model];
    for (const [part, options] of taken) {
      for (let option = 0; option < options; option++) {
        const key = `${part} ${option}`;
        if (seen.has(key)) continue;
        seen.add(key);
        if (option !== (choices[part] ?? 0)) open.push({ ...choices, [part]: option });
      }
    }
  }
}
