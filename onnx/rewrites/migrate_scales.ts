/**
 * Scale migration (Xiao et al. 2022, "SmoothQuant", arXiv 2211.10438): channels of an activation are divided by factors
 * that the weights of the layers behind take,
 *
 *     W·x  =  (W·diag(s))·(x / s),
 *
 * so that a few channels far beyond the others no longer decide the step of all.
 *
 * @module
 */
import type { NodeProto, TensorProto } from "../file/onnx_pb.ts";
import { editGraph } from "../graph/edit_graph.ts";
import { indexGraph } from "../graph/graph_index.ts";
import { inferShapes } from "../operators/infer_shapes.ts";
import { type LinearLayer, linearLayer } from "../layers/linear_layer.ts";
import { type Model, withFields } from "../file/model.ts";
import { makeTensor } from "../file/tensor.ts";
import { nameMaker } from "../graph/names.ts";
import { intAttribute, makeNode } from "../graph/node.ts";
import { absorbDivision, type Absorbed } from "./absorb_division.ts";
import { LayerRescaling } from "./rescale_layers.ts";

/** A tensor whose channels are divided now. */
export interface MigratedTensor {
  readonly tensor: string;
  /** What each channel is divided by. */
  readonly factors: Float64Array;
  /** Whether what makes the tensor divides already; otherwise a Mul of its own does. */
  readonly isAbsorbed: boolean;
}

/** The layers that read a tensor as their data and can take factors of its channels, all along one axis. */
export function layersReading(
  tensor: string,
  { index, shapes }: Parameters<typeof absorbDivision>[2],
): LinearLayer[] {
  const layers = (index.consumers.get(tensor) ?? []).flatMap((node) => {
    const layer = node.input.lastIndexOf(tensor) === 0
      ? linearLayer(node, index, shapes)
      : undefined;
    // Transposed, the channels of the input are another axis.
    return layer === undefined || intAttribute(node, "transA", 0) !== 0 ? [] : [layer];
  });
  const [first] = layers;
  return layers.filter(({ axis, channels }) =>
    axis === first.axis && channels.input === first.channels.input
  );
}

/**
 * Divides the channels of tensors, and multiplies the weights behind. What makes a tensor takes the division where it can
 * and where nobody else reads the tensor: the gain of a normalization, a constant factor, a layer, also through ReLU and
 * constant offsets. Elsewhere a Mul does it. Outputs of the model stay what they are, but for rounding to float32.
 *
 * @param factors What each channel is divided by, by the name of the tensor. Names that fit no tensor with layers behind
 * it are ignored.
 */
export function migrateScales(
  model: Model,
  factors: ReadonlyMap<string, Float64Array>,
): { model: Model; migrated: readonly MigratedTensor[] } {
  const index = indexGraph(model.graph);
  const shapes = inferShapes(model.graph, index);
  const workshop = { index, shapes, newName: nameMaker(model.graph) };
  const rescaling = new LayerRescaling(workshop);
  const replace = new Map<NodeProto, NodeProto>();
  const add: NodeProto[] = [];
  const initializers: TensorProto[] = [];
  const renamed = new Map<NodeProto, string>();
  const migrated: MigratedTensor[] = [];
  for (const tensor of [...index.inputs, ...index.nodes.flatMap(({ output }) => output)]) {
    const factor = factors.get(tensor);
    const layers = factor === undefined ? [] : layersReading(tensor, workshop);
    if (factor === undefined || layers[0]?.channels.input !== factor.length) continue;
    const isAll = layers.length === index.consumers.get(tensor)!.length &&
      !index.outputs.has(tensor);
    const { axis } = layers[0];
    const taken = isAll ? absorbDivision(tensor, { factor, axis }, workshop) : undefined;
    const absorbed = taken !== undefined && isFree(taken, replace) ? taken : undefined;
    const isDone = rescaling.add([
      ...layers.map((layer) => ({ layer, input: factor })),
      ...absorbed?.layers ?? [],
    ]);
    if (!isDone) continue;
    if (absorbed !== undefined) {
      absorbed.replace.forEach((now, old) => replace.set(old, now));
      initializers.push(...absorbed.initializers);
    } else {
      const divided = workshop.newName(`${tensor}/migrated`);
      const constant = workshop.newName(`${tensor}/migration`);
      const dims = [factor.length, ...Array<number>(-axis - 1).fill(1)];
      initializers.push(makeTensor(constant, dims, Float32Array.from(factor, (s) => 1 / s)));
      add.push(
        makeNode("Mul", workshop.newName(`${tensor}/migrate`), [tensor, constant], [divided]),
      );
      for (const { node } of layers) renamed.set(node, divided);
    }
    migrated.push({ tensor, factors: factor, isAbsorbed: absorbed !== undefined });
  }
  if (migrated.length === 0) return { model, migrated };
  const changes = rescaling.changes();
  for (const [old, now] of changes.replace) {
    const name = renamed.get(old);
    replace.set(
      old,
      name === undefined ? now : withFields(now, { input: now.input.with(0, name) }),
    );
  }
  return {
    model: editGraph(model, {
      replace,
      add,
      initializers: [...initializers, ...changes.initializers],
    }),
    migrated,
  };
}

/** Whether nothing else has changed the nodes that would take a division. */
function isFree({ replace }: Absorbed, taken: ReadonlyMap<NodeProto, NodeProto>): boolean {
  return [...replace.keys()].every((node) => !taken.has(node));
}

/** How messages call a tensor that was migrated. */
export function describeMigration({ tensor, factors, isAbsorbed }: MigratedTensor): string {
  const [least, most] = [Math.min(...factors), Math.max(...factors)];
  return `${tensor}: channels divided by ${least.toPrecision(3)} … ${most.toPrecision(3)}, ` +
    `${isAbsorbed ? "by what makes it" : "by a Mul"}; the layers behind take the factors`;
}
