/**
 * Placement: graph × target → which tensor gets which quantizer, and why. Decides only; nothing is
 * edited here.
 *
 * @module
 */
import type { GraphOutline, OutlineNode } from "./onnx/outline.ts";
import { clampRange, dataInputs, elementTypes, knownRange, weightSlot } from "./operators.ts";
import type { Target } from "./target.ts";
import type { ActivationSpec, WeightSpec } from "./core/types.ts";

/** One activation tensor that gets a quantizer. */
export interface ActivationPlan {
  readonly tensor: string;
  /** Operator and node that make it, the last of a fused chain; null for an input of the model. */
  readonly producer: { readonly op: string; readonly node: string } | null;
  readonly spec: ActivationSpec;
  /** Nodes fused into the producer, which vanish: their effect is in `clamp`. */
  readonly fused: readonly string[];
  /** Range that the fused activation functions leave, in real units; null bounds are open. */
  readonly clamp: { readonly low: number | null; readonly high: number | null };
  /** The tensor whose quantization this one keeps, if any. It is not watched itself. */
  readonly sameAs?: string;
  readonly reason: string;
}

/** One weight tensor of one node that gets a quantizer. */
export interface WeightPlan {
  readonly tensor: string;
  readonly node: string;
  readonly op: string;
  /** Number of the node's input that holds the weights. */
  readonly input: number;
  /** The activation that the weights meet. */
  readonly activation: string;
  /** Bias tensor and the number of its input, when the node has one. */
  readonly bias?: { readonly tensor: string; readonly input: number };
  /** Axis of the output channels. */
  readonly axis: number;
  readonly spec: WeightSpec;
  readonly reason: string;
}

/** A node that stays float. */
export interface FloatNode {
  readonly node: string;
  readonly op: string;
  readonly reason: string;
}

/** Everything that was decided about a graph before looking at data. */
export interface Placement {
  /** In topological order. */
  readonly activations: readonly ActivationPlan[];
  readonly weights: readonly WeightPlan[];
  readonly float: readonly FloatNode[];
}

/** Tensors whose statistics the search needs. */
export function watchedTensors(placement: Placement): string[] {
  return placement.activations.filter(({ sameAs }) => sameAs === undefined).map(({ tensor }) =>
    tensor
  );
}

/** A quantized operator with the activation functions fused into it. */
interface Group {
  readonly head: OutlineNode;
  readonly fused: readonly OutlineNode[];
  readonly output: string;
}

/** Decides where quantizers go. Deterministic; the order is that of the graph. */
export function resolve(outline: GraphOutline, target: Target): Placement {
  const graph = new GraphView(outline);
  const groups: Group[] = [];
  const float: FloatNode[] = [];
  const taken = new Set<OutlineNode>();
  for (const node of outline.nodes) {
    if (taken.has(node) || isPreserving(node, target)) continue;
    const reason = whyFloat(node, graph, target);
    if (reason !== undefined) {
      if (graph.isFloat(node.outputs[0])) float.push({ node: node.name, op: node.op, reason });
      continue;
    }
    const fused = fuse(node, graph, target);
    for (const member of [node, ...fused]) taken.add(member);
    groups.push({ head: node, fused, output: (fused.at(-1) ?? node).outputs[0] });
  }
  const origins = quantizedTensors(groups, graph, target);
  return {
    activations: activationPlans(origins, groups, graph, target),
    weights: groups.flatMap(({ head }) => weightPlan(head, target)),
    float,
  };
}

function isPreserving(node: OutlineNode, target: Target): boolean {
  return node.domain === "" && target.operators.preserving.includes(node.op);
}

/** Why a node can't run on integers, or undefined when it can. */
function whyFloat(node: OutlineNode, graph: GraphView, target: Target): string | undefined {
  const { constants } = graph.outline;
  if (node.domain !== "") return `operator of domain ${node.domain}`;
  if (!target.operators.quantized.includes(node.op)) {
    return `target ${target.name} doesn't quantize ${node.op}`;
  }
  const slot = weightSlot(node);
  if (slot !== undefined) {
    const weight = constants[node.inputs[slot.input] ?? ""];
    if (weight?.type !== "float") return "its weights are not constant float32";
    const bias = node.inputs[slot.bias] ?? "";
    const channels = weight.shape[slot.axis];
    if (bias !== "") {
      const shape = constants[bias]?.shape;
      if (shape === undefined) return "its bias is not constant";
      if (shape.length !== 1 || shape[0] !== channels) {
        return `its bias has shape [${shape}], not [${channels}]`;
      }
    }
  }
  if (node.op === "Gemm") {
    const { alpha = 1, beta = 1, transA = 0 } = node.attributes;
    if (alpha !== 1 || beta !== 1 || transA !== 0) {
      return "Gemm with alpha, beta or transA has no integer kernel";
    }
  }
  const inputs = dataInputs(node);
  if (inputs.some((name) => constants[name] !== undefined)) {
    return "one of its operands is constant";
  }
  if (inputs.some((name) => !graph.isFloat(name))) return "its input is not float32";
  if (node.op === "Clip" && clampRange(node, graph.outline) === undefined) {
    return "its bounds are not constant";
  }
  return undefined;
}

/** The longest pattern that starts at `head`; returns the nodes after it. */
function fuse(head: OutlineNode, graph: GraphView, target: Target): OutlineNode[] {
  let best: OutlineNode[] = [];
  for (const pattern of target.fusing) {
    if (!pattern[0].includes(head.op)) continue;
    const chain: OutlineNode[] = [];
    for (const operators of pattern.slice(1)) {
      const tensor = (chain.at(-1) ?? head).outputs[0];
      const next = graph.onlyReader(tensor);
      const fits = next !== undefined && operators.includes(next.op) &&
        next.inputs[0] === tensor && clampRange(next, graph.outline) !== undefined;
      if (!fits) break;
      chain.push(next);
    }
    if (chain.length === pattern.length - 1 && chain.length > best.length) best = chain;
  }
  return best;
}

/**
 * Quantized tensors, each with the tensor whose quantization it has (itself, or the one at the
 * beginning of a chain of preserving operators). Runs to a fixed point, for a preserving operator passes the
 * need for a quantizer on in both directions.
 */
function quantizedTensors(
  groups: readonly Group[],
  graph: GraphView,
  target: Target,
): ReadonlyMap<string, string> {
  const quantized = new Set<string>();
  for (const { head, output } of groups) {
    for (const name of [...dataInputs(head), output]) quantized.add(name);
  }
  const preserving = graph.outline.nodes.filter((node) =>
    isPreserving(node, target) && graph.isFloat(node.inputs[0]) &&
    graph.outline.constants[node.inputs[0]] === undefined
  );
  for (let before = -1; before !== quantized.size;) {
    before = quantized.size;
    for (const node of preserving) {
      const ends = [node.inputs[0], ...node.outputs.filter((name) => graph.isFloat(name))];
      if (ends.some((name) => quantized.has(name))) {
        for (const name of ends) quantized.add(name);
      }
    }
  }
  const origins = new Map<string, string>();
  for (const name of graph.tensors()) {
    if (!quantized.has(name)) continue;
    const producer = graph.producer(name);
    const keeps = producer !== undefined && preserving.includes(producer);
    origins.set(name, keeps ? origins.get(producer.inputs[0]) ?? name : name);
  }
  return origins;
}

function activationPlans(
  origins: ReadonlyMap<string, string>,
  groups: readonly Group[],
  graph: GraphView,
  target: Target,
): ActivationPlan[] {
  const byOutput = new Map(groups.map((group) => [group.output, group]));
  return [...origins].map(([tensor, origin]) => {
    const producer = graph.producer(tensor);
    const group = byOutput.get(tensor);
    const fused = group?.fused ?? [];
    let [low, high] = [-Infinity, Infinity];
    for (const node of fused) {
      const range = clampRange(node, graph.outline)!;
      [low, high] = [Math.max(low, range[0]), Math.min(high, range[1])];
    }
    return {
      tensor,
      producer: producer === undefined ? null : { op: producer.op, node: producer.name },
      spec: specFor(producer, graph, target),
      fused: fused.map(({ name }) => name),
      clamp: { low: Number.isFinite(low) ? low : null, high: Number.isFinite(high) ? high : null },
      ...(origin === tensor ? {} : { sameAs: origin }),
      reason: reasonFor(tensor, origin, producer, group),
    };
  });
}

/** What the target asks of activations, with the range that it fixes for this producer. */
function specFor(
  producer: OutlineNode | undefined,
  graph: GraphView,
  target: Target,
): ActivationSpec {
  const { fixedRanges = [], ...spec } = target.activation;
  const range = producer && knownRange(producer, graph.outline);
  if (producer === undefined || range === undefined) return spec;
  if (!fixedRanges.some((op) => op === producer.op)) return spec;
  const [low, high] = range;
  return { ...spec, fixedRange: { op: producer.op, low, high } };
}

function reasonFor(tensor: string, origin: string, producer?: OutlineNode, group?: Group): string {
  if (origin !== tensor) return `${producer?.op} keeps the quantization of ${origin}`;
  if (producer === undefined) return "input of the model, read by a quantized operator";
  if (group === undefined) return `output of ${producer.op} (float), read by a quantized operator`;
  return `output of ${[group.head, ...group.fused].map(({ op }) => op).join(" + ")}`;
}

function weightPlan(node: OutlineNode, target: Target): WeightPlan[] {
  const slot = weightSlot(node);
  if (slot === undefined) return [];
  const bias = node.inputs[slot.bias] ?? "";
  return [{
    tensor: node.inputs[slot.input],
    node: node.name,
    op: node.op,
    input: slot.input,
    activation: node.inputs[0],
    ...(bias === "" ? {} : { bias: { tensor: bias, input: slot.bias } }),
    axis: slot.axis,
    spec: target.weight,
    reason: `weights of ${node.op}`,
  }];
}

/** Look-ups over an outline. */
class GraphView {
  readonly outline: GraphOutline;
  readonly #types: ReturnType<typeof elementTypes>;
  readonly #producers = new Map<string, OutlineNode>();
  readonly #readers = new Map<string, OutlineNode[]>();
  readonly #outputs: ReadonlySet<string>;

  constructor(outline: GraphOutline) {
    this.outline = outline;
    this.#types = elementTypes(outline);
    this.#outputs = new Set(outline.outputs.map(({ name }) => name));
    for (const node of outline.nodes) {
      for (const name of node.outputs) this.#producers.set(name, node);
      for (const name of new Set([...node.inputs, ...node.captures])) {
        const readers = this.#readers.get(name);
        if (readers === undefined) this.#readers.set(name, [node]);
        else readers.push(node);
      }
    }
  }

  isFloat(name: string): boolean {
    return this.#types.get(name) === "float";
  }

  producer(name: string): OutlineNode | undefined {
    return this.#producers.get(name);
  }

  /** The single reader of a tensor that nothing else sees; undefined otherwise. */
  onlyReader(name: string): OutlineNode | undefined {
    const readers = this.#readers.get(name);
    return readers?.length === 1 && !this.#outputs.has(name) && !readers[0].captures.includes(name)
      ? readers[0]
      : undefined;
  }

  /** Inputs of the model, then outputs of nodes, in topological order. */
  *tensors(): Iterable<string> {
    for (const { name } of this.outline.inputs) yield name;
    for (const { outputs } of this.outline.nodes) {
      for (const name of outputs) if (name !== "") yield name;
    }
  }
}
