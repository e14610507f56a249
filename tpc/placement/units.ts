/**
 * Units: what a target sees as one operator. A node is a unit, and so is a composite: a sub-graph that stands for
 * one operator.
 *
 * @module
 */
import type { OutlineNode } from "../../onnx/graph/outline.ts";
import {
  attributeOf,
  clampRange,
  dataInputs,
  operatorName,
  operatorOf,
  scalarValue,
  weightSlot,
} from "../../onnx/operators/operators.ts";
import type { Target } from "../targets/target.ts";
import { COMPOSITES, PARTS } from "./composite_library.ts";
import { type Expression, parseExpression } from "../targets/expression.ts";
import type { GraphView } from "./graph_view.ts";
import type { Subject } from "./overrides.ts";

/** One operator as the target sees it. */
export interface Unit {
  /** Operator, "domain:Operator" outside the default domain, or name of the composite. */
  readonly op: string;
  /** The nodes in topological order; the last one makes the output. */
  readonly nodes: readonly OutlineNode[];
  /** Tensors that carry activations into it. */
  readonly inputs: readonly string[];
}

/** First output of a unit; composites have no other. */
export function outputOf({ nodes }: Unit): string {
  return nodes.at(-1)!.outputs[0];
}

/** Name of a unit: that of its last node. */
export function nameOf({ nodes }: Unit): string {
  return nodes.at(-1)!.name;
}

/** What overrides look at: every node of a unit, with every tensor that it makes. */
export function subjectsOf({ op: operator, nodes }: Unit): Subject[] {
  return nodes.flatMap(({ name: node, outputs }) =>
    outputs.map((tensor) => ({ tensor, node, operator }))
  );
}

/** Whether a unit has a node with a place for weights. */
export function isLayer({ nodes }: Unit): boolean {
  return nodes.some((node) => weightSlot(node) !== undefined);
}

/** Whether a unit only clamps, which the quantizer of its output can do, too. */
export function isClamp({ nodes }: Unit, graph: GraphView): boolean {
  return nodes.length === 1 && clampRange(nodes[0], graph) !== undefined;
}

/**
 * All units of a graph, in topological order of their last nodes. Composites are found where the target names
 * them; of several that end in one node, the one of most nodes counts.
 */
export function unitsOf(graph: GraphView, target: Target): Unit[] {
  const forms = formsFor(target);
  const composites = new Map<OutlineNode, Unit>();
  const taken = new Set<OutlineNode>();
  // From the outputs up, so that a composite inside a larger one doesn't break it.
  for (const node of graph.outline.nodes.toReversed()) {
    if (taken.has(node)) continue;
    let best: Unit | undefined;
    for (const { op, form, behind } of forms) {
      for (const found of matchComposite(op, form, node, graph)) {
        const isFree = found.nodes.every((member) => !taken.has(member)) &&
          (behind === undefined || behind.includes(graph.producer(found.inputs[0])?.op ?? ""));
        if (isFree && found.nodes.length > (best?.nodes.length ?? 0)) best = found;
      }
    }
    if (best === undefined) continue;
    composites.set(node, best);
    for (const member of best.nodes) taken.add(member);
  }
  return graph.outline.nodes.flatMap((node): Unit[] => {
    const composite = composites.get(node);
    if (composite !== undefined) return [composite];
    if (taken.has(node)) return [];
    return [{ op: operatorName(node), nodes: [node], inputs: dataInputs(node) }];
  });
}

/** The forms of all composites that a target names. */
function formsFor({ operatorSets, fusing, composites = [] }: Target) {
  const named = new Set([
    ...operatorSets.flatMap(({ operators }) => operators),
    ...fusing.flatMap(({ pattern }) => pattern.flat()),
  ]);
  const own = composites.map((definition) => ({
    ...definition,
    parsed: definition.forms.map((form) => parseExpression(form)),
  }));
  return [...own, ...BUILT_IN].filter(({ name }) => named.has(name)).flatMap((
    { name, parsed, behind },
  ) => parsed.map((form) => ({ op: name, form, behind })));
}

const BUILT_IN = COMPOSITES.map((definition) => ({
  ...definition,
  parsed: definition.forms.map((form) => parseExpression(form, PARTS)),
}));

/** Relative difference up to which constants count as equal: exporters round them. */
const TOLERANCE = 1e-3;

/** The composites that end in `last`, where the form fits and nothing outside reads what is inside. */
function* matchComposite(
  op: string,
  form: Expression,
  last: OutlineNode,
  graph: GraphView,
): Iterable<Unit> {
  for (const { input, nodes } of bind(form, last.outputs[0], graph, { nodes: new Set() })) {
    if (input === undefined) continue;
    const isClosed = [...nodes].every((node) =>
      node === last ||
      node.outputs.every((name) =>
        !graph.isOutput(name) && graph.readers(name).every((reader) => nodes.has(reader))
      )
    );
    if (!isClosed) continue;
    const ordered = [...nodes].sort((a, b) => graph.position(a) - graph.position(b));
    yield { op, nodes: ordered, inputs: [input] };
  }
}

interface Binding {
  readonly input?: string;
  readonly nodes: ReadonlySet<OutlineNode>;
}

/** All ways of binding a form to the tensor that it should make. */
function* bind(
  form: Expression,
  tensor: string,
  graph: GraphView,
  binding: Binding,
): Iterable<Binding> {
  switch (form.kind) {
    case "input":
      if (graph.constant(tensor) !== undefined || !graph.isFloat(tensor)) return;
      if (binding.input === undefined) yield { ...binding, input: tensor };
      else if (binding.input === tensor) yield binding;
      return;
    case "constant": {
      const constant = graph.constant(tensor);
      if (constant === undefined) return;
      const value = form.value === undefined ? undefined : scalarValue(constant);
      const fits = form.value === undefined || value !== undefined && isClose(value, form.value);
      if (fits) yield binding;
      return;
    }
    case "shape":
      if (!graph.isFloat(tensor)) yield binding;
      return;
    case "choice":
      for (const option of form.options) yield* bind(option, tensor, graph, binding);
      return;
    case "node": {
      const node = graph.producer(tensor);
      const fits = node !== undefined && node.domain === "" && node.op === form.op &&
        node.outputs[0] === tensor &&
        [...form.attributes].every(([name, value]) => {
          const actual = attributeOf(node, name);
          return typeof actual === "number" && isClose(actual, value);
        });
      if (fits) yield* bindArguments(form.args, node, graph, binding);
      return;
    }
    default:
      form satisfies never;
  }
}

function* bindArguments(
  args: readonly Expression[],
  node: OutlineNode,
  graph: GraphView,
  binding: Binding,
): Iterable<Binding> {
  const inside = { ...binding, nodes: new Set([...binding.nodes, node]) };
  const inputs = inputsOf(node);
  // Further inputs may be parameters, as the axes of ReduceMean.
  const rest = inputs.slice(args.length);
  if (!rest.every((name) => typeof name !== "string" || graph.constant(name))) return;
  const isSwapped = operatorOf(node)?.isCommutative && args.length === 2;
  for (const order of isSwapped ? [args, [args[1], args[0]]] : [args]) {
    yield* bindInOrder(order, inputs, graph, inside);
  }
}

function* bindInOrder(
  [arg, ...args]: readonly Expression[],
  [input, ...inputs]: readonly (string | number)[],
  graph: GraphView,
  binding: Binding,
): Iterable<Binding> {
  if (arg === undefined) {
    yield binding;
  } else if (typeof input === "string") {
    for (const found of bind(arg, input, graph, binding)) {
      yield* bindInOrder(args, inputs, graph, found);
    }
  } else if (
    // A bound that is an attribute, as Clip's before opset 11.
    input !== undefined && arg.kind === "constant" && arg.value !== undefined &&
    isClose(input, arg.value)
  ) {
    yield* bindInOrder(args, inputs, graph, binding);
  }
}

/** Inputs of a node; those that older opsets have as attributes are numbers. */
function inputsOf(node: OutlineNode): (string | number)[] {
  const { min, max } = node.attributes;
  if (node.op === "Clip" && node.inputs.length === 1) {
    return [node.inputs[0], ...[min, max].filter((bound) => typeof bound === "number")];
  }
  return [...node.inputs];
}

function isClose(a: number, b: number): boolean {
  return Math.abs(a - b) <= TOLERANCE * Math.abs(b);
}
