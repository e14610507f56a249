/**
 * Local functions of a model, put in the place of the nodes that call them. A target knows operators, not the functions
 * that an exporter made of them.
 *
 * @module
 */
import type { AttributeProto, FunctionProto, GraphProto, NodeProto } from "../file/onnx_pb.ts";
import { type Model, opsetVersion, withFields } from "../file/model.ts";
import { nameMaker } from "../graph/names.ts";
import { nodeName, subgraphs } from "../graph/node.ts";

/**
 * Returns an equal model without calls of local functions, those inside functions and sub-graphs among them. A
 * function of another version of the default operators than the model stays a call: its operators may mean
 * something else there.
 */
export function inlineFunctions(model: Model): Model {
  const version = BigInt(opsetVersion(model));
  const functions = new Map(
    model.functions.filter(({ opsetImport }) =>
      opsetImport.every(({ domain, version: own }) => !isDefault(domain) || own === version)
    ).map((entry) => [keyOf(entry.domain, entry.name, entry.overload), entry]),
  );
  if (functions.size === 0) return model;
  const inliner = new Inliner(functions, nameMaker(model.graph));
  const graph = inliner.graph(model.graph);
  if (graph === model.graph) return model;
  const rest = model.functions.filter((entry) =>
    !functions.has(keyOf(entry.domain, entry.name, entry.overload))
  );
  const gone = new Set([...functions.values()].map(({ domain }) => domain));
  for (const { domain } of rest) gone.delete(domain);
  return withFields<Model>(model, {
    graph,
    functions: rest,
    opsetImport: model.opsetImport.filter(({ domain }) => isDefault(domain) || !gone.has(domain)),
  });
}

function isDefault(domain: string): boolean {
  return domain === "" || domain === "ai.onnx";
}

function keyOf(domain: string, name: string, overload: string): string {
  return JSON.stringify([domain, name, overload]);
}

type Names = ReadonlyMap<string, string>;
type Attributes = ReadonlyMap<string, AttributeProto>;

/** Works through graphs from the outside in; a call makes nodes that may be calls themselves. */
class Inliner {
  readonly #functions: ReadonlyMap<string, FunctionProto>;
  readonly #fresh: (wish: string) => string;

  constructor(functions: ReadonlyMap<string, FunctionProto>, fresh: (wish: string) => string) {
    this.#functions = functions;
    this.#fresh = fresh;
  }

  graph(graph: GraphProto): GraphProto {
    const node = graph.node.flatMap((entry) => this.#expand(entry));
    const isSame = node.length === graph.node.length && node.every((n, i) => n === graph.node[i]);
    return isSame ? graph : withFields(graph, { node });
  }

  #expand(call: NodeProto): NodeProto[] {
    const body = this.#functions.get(keyOf(call.domain, call.opType, call.overload));
    if (body === undefined) return [this.#withBodies(call)];
    const names = new Map<string, string>();
    body.input.forEach((name, i) => names.set(name, call.input[i] ?? ""));
    // An output that the call leaves out still needs a name.
    body.output.forEach((name, i) => {
      const given = call.output[i] ?? "";
      names.set(name, given === "" ? this.#fresh(`${nodeName(call)}/${name}`) : given);
    });
    for (const { output } of body.node) {
      for (const name of output) {
        if (name !== "" && !names.has(name)) {
          names.set(name, this.#fresh(`${nodeName(call)}/${name}`));
        }
      }
    }
    const attributes = new Map(
      [...body.attributeProto, ...call.attribute].map((entry) => [entry.name, entry]),
    );
    return body.node.flatMap((inner) => {
      const renamed = rename(inner, names, attributes);
      const name = this.#fresh(`${nodeName(call)}/${inner.name || inner.output[0]}`);
      return this.#expand(withFields(renamed, { name }));
    });
  }

  #withBodies(node: NodeProto): NodeProto {
    if (subgraphs(node).length === 0) return node;
    const attribute = node.attribute.map((entry) =>
      entry.g === undefined && entry.graphs.length === 0 ? entry : withFields(entry, {
        ...(entry.g === undefined ? {} : { g: this.graph(entry.g) }),
        graphs: entry.graphs.map((graph) => this.graph(graph)),
      })
    );
    return withFields(node, { attribute });
  }
}

/** A node of a function's body with the names and attributes of a call. */
function rename(node: NodeProto, names: Names, attributes: Attributes): NodeProto {
  const nameOf = (name: string) => names.get(name) ?? name;
  const attribute = node.attribute.flatMap((entry): AttributeProto[] => {
    if (entry.refAttrName !== "") {
      const given = attributes.get(entry.refAttrName);
      // Left out by the call, and without a default: the operator's own holds.
      return given === undefined ? [] : [withFields(given, { name: entry.name })];
    }
    if (entry.g === undefined && entry.graphs.length === 0) return [entry];
    return [withFields(entry, {
      ...(entry.g === undefined ? {} : { g: renameBody(entry.g, names, attributes) }),
      graphs: entry.graphs.map((graph) => renameBody(graph, names, attributes)),
    })];
  });
  return withFields(node, {
    input: node.input.map(nameOf),
    output: node.output.map(nameOf),
    attribute,
  });
}

/** A sub-graph; what it defines itself hides names from outside. */
function renameBody(graph: GraphProto, names: Names, attributes: Attributes): GraphProto {
  const own = new Set([
    ...graph.input.map(({ name }) => name),
    ...graph.initializer.map(({ name }) => name),
    ...graph.node.flatMap(({ output }) => output),
  ]);
  const visible = new Map([...names].filter(([name]) => !own.has(name)));
  return withFields(graph, {
    node: graph.node.map((node) => rename(node, visible, attributes)),
    output: graph.output.map((info) =>
      withFields(info, { name: visible.get(info.name) ?? info.name })
    ),
  });
}
