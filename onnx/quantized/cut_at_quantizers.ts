/**
 * A QDQ model cut at its activations, to see what each layer adds by itself.
 *
 *     … ─► Q ─► DQ ─► T ─► …      becomes      … ─► Q ─► DQ ─► T/local      and      T (an input) ─► …
 *
 * Whatever read the dequantized T reads a tensor of the same name that the caller gives: the float model's, say.
 *
 * @module
 */
import { create } from "@bufbuild/protobuf";
import { ValueInfoProtoSchema } from "../file/onnx_pb.ts";
import { editGraph } from "../graph/edit_graph.ts";
import { type Model, withFields } from "../file/model.ts";
import { nameMaker } from "../graph/names.ts";
import type { ActivationQuantizer } from "./read_quantizers.ts";
import { floatValue } from "../graph/value_info.ts";

/** A model that was cut. */
export interface CutModel {
  /** Its float outputs stay outputs. */
  readonly model: Model;
  /** By tensor: the inputs that want its value, and the output that has it quantized. */
  readonly ends: ReadonlyMap<
    string,
    { readonly inputs: readonly string[]; readonly output: string }
  >;
}

/**
 * Cuts a model at some of its quantizers. `model` stays as it was.
 *
 * @param quantizers Each with at least one dequantized end.
 */
export function cutAtQuantizers(
  model: Model,
  quantizers: readonly ActivationQuantizer[],
): CutModel {
  const { graph } = model;
  const fresh = nameMaker(graph);
  const renamed = new Map<string, string>();
  const ends = new Map<string, { inputs: readonly string[]; output: string }>();
  for (const { tensor, dequantized } of quantizers) {
    for (const name of dequantized) renamed.set(name, fresh(`${name}/local`));
    ends.set(tensor, { inputs: dequantized, output: renamed.get(dequantized[0])! });
  }
  const replace = new Map(
    graph.node.filter(({ output }) => output.some((name) => renamed.has(name))).map((node) => [
      node,
      withFields(node, { output: node.output.map((name) => renamed.get(name) ?? name) }),
    ]),
  );
  const input = [...graph.input, ...[...renamed.keys()].map((name) => floatValue(name))];
  const output = [
    ...graph.output.filter(({ name }) => !renamed.has(name)),
    ...[...ends.values()].map(({ output }) => create(ValueInfoProtoSchema, { name: output })),
  ];
  const opened = withFields<Model>(model, { graph: withFields(graph, { input, output }) });
  return { model: editGraph(opened, { replace }), ends };
}
