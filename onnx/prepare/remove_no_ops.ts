/**
 * Removal of nodes that pass their input on unchanged at inference.
 *
 * @module
 */
import type { NodeProto } from "../file/onnx_pb.ts";
import { constantNumbers } from "../graph/constant_value.ts";
import { editGraph, repeatPass } from "../graph/edit_graph.ts";
import { type GraphIndex, indexGraph } from "../graph/graph_index.ts";
import { inferShapes, type Shapes } from "../operators/infer_shapes.ts";
import { type ElementTypes, inferTypes } from "../operators/infer_types.ts";
import { type Model, withFields } from "../file/model.ts";
import { intAttribute, intsAttribute, isOperator, subgraphs } from "../graph/node.ts";
import { tensorData } from "../file/tensor.ts";

/** What is known of a graph. */
interface Facts {
  readonly index: GraphIndex;
  readonly types: ElementTypes;
  readonly shapes: Shapes;
}

/**
 * Takes out nodes that change nothing: Identity, Max, Min, Sum and Mean of one input, blocks of 1 in space or depth, Dropout at
 * inference, Mul and Div by a single 1, Add and Sub of a single 0, Cast to the type that is there already, Transpose that leaves the axes where they are, Reshape to the shape that is there already,
 * and a Transpose that undoes the one before it. Their readers read their input, so names of other
 * tensors stay, but for one that an Identity makes an output of the model: it takes that name. A node stays
 * where removing it would rename an input or output of the model otherwise, and where a sub-graph captures its
 * output.
 */
export function removeNoOps(model: Model): Model {
  // Two Transposes with an Identity between them cancel when that has gone.
  return repeatPass(repeatPass(model, removeOnce), takeOverOutput);
}

/**
 * Lets the node before an Identity make the output that the Identity makes, under its name: a tensor inside the model
 * loses its own.
 */
function takeOverOutput(model: Model): Model {
  const index = indexGraph(model.graph);
  for (const node of index.nodes) {
    const [[input], [output]] = [node.input, node.output];
    const producer = index.producers.get(input);
    if (!isOperator(node, "Identity") || producer === undefined || index.outputs.has(input)) {
      continue;
    }
    const readers = index.consumers.get(input)!;
    if (readers.some((reader) => subgraphs(reader).length > 0)) continue;
    const rename = (names: readonly string[]) =>
      names.map((name) => name === input ? output : name);
    const replace = new Map([
      [producer, withFields(producer, { output: rename(producer.output) })],
      ...readers.filter((reader) => reader !== node).map((reader) =>
        [reader, withFields(reader, { input: rename(reader.input) })] as const
      ),
    ]);
    return editGraph(model, { remove: new Set([node]), replace });
  }
  return model;
}

function removeOnce(model: Model): Model {
  const index = indexGraph(model.graph);
  const facts = {
    index,
    types: inferTypes(model.graph, index),
    shapes: inferShapes(model.graph, index),
  };
  const remove = new Set<NodeProto>();
  const renames = new Map<string, string>();
  for (const node of index.nodes) {
    const source = passedOn(node, facts);
    const [output] = node.output;
    if (source === undefined || !canRename(output, index)) continue;
    remove.add(node);
    renames.set(output, renames.get(source) ?? source);
  }
  if (remove.size === 0) return model;
  for (const name of leftUnread(remove, renames, index)) remove.add(index.producers.get(name)!);
  const replace = new Map<NodeProto, NodeProto>();
  for (const node of index.nodes) {
    if (node.input.some((name) => renames.has(name))) {
      replace.set(
        node,
        withFields(node, { input: node.input.map((name) => renames.get(name) ?? name) }),
      );
    }
  }
  return editGraph(model, { remove, replace });
}

function canRename(name: string, index: GraphIndex): boolean {
  const readers = index.consumers.get(name) ?? [];
  return !index.outputs.has(name) && !readers.some((reader) => subgraphs(reader).length > 0);
}

/** Outputs of Transposes that only removed nodes read. */
function leftUnread(
  removed: ReadonlySet<NodeProto>,
  renames: ReadonlyMap<string, string>,
  index: GraphIndex,
): string[] {
  const stillRead = new Set(renames.values());
  return [...removed].map(({ input }) => input[0]).filter((name) => {
    const producer = index.producers.get(name);
    return producer !== undefined && isOperator(producer, "Transpose") && !stillRead.has(name) &&
      !index.outputs.has(name) && index.consumers.get(name)!.every((node) => removed.has(node));
  });
}

/** Name of the tensor that a node passes on; undefined when it computes something. */
function passedOn(node: NodeProto, facts: Facts): string | undefined {
  if (isOperator(node, "Transpose")) {
    const undone = undoneTranspose(node, facts.index);
    if (undone !== undefined) return undone;
  }
  if (isOperator(node, "Mul", "Div", "Add", "Sub")) return unchangedOperand(node, facts);
  return isNoOp(node, facts) ? node.input[0] : undefined;
}

function isNoOp(node: NodeProto, { index, types, shapes }: Facts): boolean {
  if (isOperator(node, "Identity")) return true;
  if (isOperator(node, "Max", "Min", "Sum", "Mean")) return node.input.length === 1;
  if (isOperator(node, "DepthToSpace", "SpaceToDepth")) {
    return intAttribute(node, "blocksize", 0) === 1;
  }
  if (isOperator(node, "Dropout")) return isIdleDropout(node, index);
  if (isOperator(node, "Cast")) return types.get(node.input[0]) === intAttribute(node, "to", 0);
  if (isOperator(node, "Transpose")) {
    const perm = intsAttribute(node, "perm");
    return perm?.every((axis, i) => axis === i) ?? shapes.get(node.input[0])?.length === 1;
  }
  return isOperator(node, "Reshape") && keepsShape(node, { index, shapes });
}

/** The tensor before two Transposes of which this is the second, when together they do nothing. */
function undoneTranspose(second: NodeProto, index: GraphIndex): string | undefined {
  const first = index.producers.get(second.input[0]);
  if (first === undefined || !isOperator(first, "Transpose")) return undefined;
  const [before, after] = [intsAttribute(first, "perm"), intsAttribute(second, "perm")];
  const isUndone = before === undefined || after === undefined
    // Without perm the axes are reversed, twice here.
    ? before === after
    : after.every((axis, i) => before[axis] === i);
  return isUndone ? first.input[0] : undefined;
}

/** Whether a Reshape is to the shape that its input has. */
function keepsShape(
  node: NodeProto,
  { index, shapes }: { index: GraphIndex; shapes: Shapes },
): boolean {
  const shape = shapes.get(node.input[0]);
  const target = constantNumbers(index, node.input[1]);
  if (shape === undefined || target?.length !== shape.length) return false;
  const copiesZeros = intAttribute(node, "allowzero", 0) === 0;
  // One dimension may be free: the number of elements decides it.
  const open = target.filter((size, axis) => {
    const isCopied = size === 0 && copiesZeros;
    return !isCopied && (size === -1 || size !== shape[axis]);
  });
  return open.length === 0 || open.length === 1 && open[0] === -1;
}

/**
 * The tensor that arithmetic leaves as it is, as swish with β = 1, which Paddle writes as Mul; undefined elsewhere. A constant
 * of several elements stays: a bias of zeros is where bias correction puts what it finds. (−0 becomes 0 by an Add, and
 * stays −0 now; the two are equal.)
 */
function unchangedOperand(
  { input, opType }: NodeProto,
  { index, shapes }: Facts,
): string | undefined {
  const isProduct = opType === "Mul" || opType === "Div";
  const positions = opType === "Mul" || opType === "Add" ? [1, 0] : [1];
  const neutral = positions.find((position) => {
    const dims = index.initializers.get(input[position])?.dims;
    // A constant of more axes gives the result more.
    return dims?.every((size) => size === 1n) === true &&
      dims.length <= (shapes.get(input[1 - position])?.length ?? 0) &&
      constantNumbers(index, input[position])?.[0] === (isProduct ? 1 : 0);
  });
  return neutral === undefined ? undefined : input[1 - neutral];
}

/** Whether a Dropout is at inference and nobody reads its mask. */
function isIdleDropout(node: NodeProto, index: GraphIndex): boolean {
  // The mask output, when somebody reads it, keeps the node.
  const mask = node.output[1] ?? "";
  if (mask !== "" && (index.consumers.has(mask) || index.outputs.has(mask))) return false;
  // Opset 12 moved training_mode to the third input; before 7 `is_test` was an attribute.
  const training = node.input[2] ?? "";
  if (training === "") return intAttribute(node, "is_test", 1) !== 0;
  const constant = index.initializers.get(training);
  return constant !== undefined && Number(tensorData(constant)[0]) === 0;
}
