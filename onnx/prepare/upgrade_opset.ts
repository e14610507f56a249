/**
 * Models of older operator sets, rewritten for opset 13, the first with per-channel
 * DequantizeLinear.
 *
 * @module
 */
import { own } from "../../core/own.ts";
import type { AttributeProto, GraphProto, NodeProto, TensorProto } from "../file/onnx_pb.ts";
import { PlimsollError } from "../../core/errors.ts";
import { indexGraph, reads } from "../graph/graph_index.ts";
import { inferShapes } from "../operators/infer_shapes.ts";
import { inferTypes } from "../operators/infer_types.ts";
import { type Model, opsetVersion, withFields } from "../file/model.ts";
import { nameMaker } from "../graph/names.ts";
import { isOperator, nodeName, subgraphs } from "../graph/node.ts";
import { meansTheSame, type UpgradeContext, UPGRADED_OPSET, UPGRADES } from "./upgrade_rules.ts";

/** The oldest operator set that can be upgraded: before, broadcasting was an attribute. */
export const OLDEST_OPSET = 7;

/**
 * Returns a model of opset 13 or newer that computes the same. One of opset 13 or newer passes as it
 * is; in an older one each operator is looked up in the table of `upgrade_rules.ts`. Sub-graphs are
 * upgraded, too. Names stay.
 *
 * Expects Constant nodes to be initializers, since some upgrades depend on their values.
 *
 * @throws {PlimsollError} kind `model` when an operator isn't known to mean the same in opset 13.
 */
export function upgradeOpset(model: Model): Model {
  const opset = opsetVersion(model);
  // A model without standard operators has no version of them.
  if (opset >= UPGRADED_OPSET || opset === 0) return model;
  if (opset < OLDEST_OPSET) {
    throw refusal(`opset ${OLDEST_OPSET} or newer`, `opset ${opset}`);
  }
  if (model.functions.length > 0) {
    throw refusal("a model without local functions", `one with them and opset ${opset}`);
  }
  const newName = nameMaker(model.graph);
  const opsetImport = model.opsetImport.map((entry) =>
    entry.domain === "" || entry.domain === "ai.onnx"
      ? withFields(entry, { version: BigInt(UPGRADED_OPSET) })
      : entry
  );
  const graph = upgradeGraph(model.graph, { opset, newName }, factsOfModel(model.graph));
  return withFields<Model>(model, { opsetImport, graph });
}

interface Walk {
  readonly opset: number;
  readonly newName: (wish: string) => string;
}

/** What the table may ask about the tensors of a graph. */
type Facts = Pick<UpgradeContext, "initializers" | "shapes" | "types" | "isRead">;

function upgradeGraph(graph: GraphProto, walk: Walk, facts: Facts): GraphProto {
  const added: TensorProto[] = [];
  const addConstant = (wish: string, make: (name: string) => TensorProto) => {
    const tensor = make(walk.newName(wish));
    added.push(tensor);
    return tensor.name;
  };
  const node = graph.node.flatMap((old) => {
    const attribute = old.attribute.map((entry) => upgradeBodies(entry, walk, facts));
    const outer = subgraphs(old).length === 0 ? old : withFields(old, { attribute });
    return upgradeNode(outer, { ...facts, ...walk, addConstant });
  });
  return withFields(graph, { node, initializer: [...graph.initializer, ...added] });
}

function upgradeBodies(attribute: AttributeProto, walk: Walk, outer: Facts): AttributeProto {
  const upgrade = (graph: GraphProto) => upgradeGraph(graph, walk, factsOfBody(graph, outer));
  return withFields(attribute, {
    ...(attribute.g === undefined ? {} : { g: upgrade(attribute.g) }),
    graphs: attribute.graphs.map(upgrade),
  });
}

function factsOfModel(graph: GraphProto): Facts {
  const index = indexGraph(graph);
  return {
    initializers: index.initializers,
    shapes: inferShapes(graph, index),
    types: inferTypes(graph, index),
    isRead: (name) => index.consumers.has(name) || index.outputs.has(name),
  };
}

/** In a sub-graph only constants are known, its own and those around it. */
function factsOfBody(graph: GraphProto, outer: Facts): Facts {
  const own = graph.initializer.map((tensor) => [tensor.name, tensor] as const);
  const read = new Set([
    ...graph.output.map(({ name }) => name),
    ...graph.node.flatMap((node) => [...reads(node)]),
  ]);
  return {
    initializers: new Map([...outer.initializers, ...own]),
    shapes: new Map(),
    types: new Map(),
    isRead: (name) => read.has(name),
  };
}

function upgradeNode(node: NodeProto, context: UpgradeContext): readonly NodeProto[] {
  // Operators of other sets have versions of their own.
  if (!isOperator(node, node.opType)) return [node];
  const rule = own(UPGRADES, node.opType)?.find(({ before }) => context.opset < before);
  if (rule === undefined) {
    if (meansTheSame(node.opType)) return [node];
    throw refusal("operators that are known to mean the same in it", describe(node, context));
  }
  const upgraded = rule.upgrade(node, context);
  if (typeof upgraded === "string") throw refusal(upgraded, describe(node, context));
  return upgraded;
}

function describe(node: NodeProto, { opset }: UpgradeContext): string {
  return `node ${JSON.stringify(nodeName(node))} (${node.opType}) of opset ${opset}`;
}

function refusal(wanted: string, found: string): PlimsollError {
  return new PlimsollError("model", {
    action: `upgrading the model to opset ${UPGRADED_OPSET}`,
    wanted,
    found,
    remedy: "Convert it with onnx.version_converter, or export it again at opset " +
      `${UPGRADED_OPSET} or newer`,
  });
}
