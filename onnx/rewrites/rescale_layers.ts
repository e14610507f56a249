/**
 * Factors of the channels of linear layers, gathered from several places of a graph and applied
 * once: a layer between two scaled tensors gets a factor from each side, and its weights are rounded
 * to float32 a single time.
 *
 * @module
 */
import { MAX_FLOAT } from "../../core/grid.ts";
import type { NodeProto, TensorProto } from "../file/onnx_pb.ts";
import type { RewriteInProgress } from "../layers/fold_layers.ts";
import { changeLayer, layerBias, type LinearLayer } from "../layers/linear_layer.ts";
import { nodeName } from "../graph/node.ts";

/** Factors of one layer. */
export interface LayerFactors {
  readonly layer: LinearLayer;
  /** Factor of the weights of each input channel; 1 when absent. */
  readonly input?: Float64Array;
  /** Factor of the weights and the bias of each output channel; 1 when absent. */
  readonly output?: Float64Array;
}

/** Collects factors, then makes the new layers. */
export class LayerRescaling {
  readonly #factors = new Map<NodeProto, Required<LayerFactors>>();
  readonly #workshop: RewriteInProgress;

  constructor(workshop: RewriteInProgress) {
    this.#workshop = workshop;
  }

  /**
   * Multiplies these factors to those that the layers have, and returns true. Where one of them can't be
   * applied, since a bias isn't constant per channel or a number could leave float32, none is
   * taken and the result is false.
   */
  add(all: readonly LayerFactors[]): boolean {
    const products = all.map((factors) => this.#times(factors));
    if (!products.every((product) => this.#isSound(product))) return false;
    for (const product of products) this.#factors.set(product.layer.node, product);
    return true;
  }

  /** The new layers, for `editGraph`. */
  changes(): { replace: Map<NodeProto, NodeProto>; initializers: TensorProto[] } {
    const { index, newName } = this.#workshop;
    const replace = new Map<NodeProto, NodeProto>();
    const initializers: TensorProto[] = [];
    for (const { layer, input, output } of this.#factors.values()) {
      const { node } = layer;
      const change = {
        inputFactor: input,
        outputFactor: output,
        bias: layerBias(layer, index)!.map((b, c) => b * output[c]),
      };
      // add() has seen to it that this succeeds.
      const changed = changeLayer(layer, change, { index, suffix: nodeName(node), newName })!;
      replace.set(node, changed.node);
      initializers.push(...changed.initializers);
    }
    return { replace, initializers };
  }

  #times({ layer, input, output }: LayerFactors): Required<LayerFactors> {
    const known = this.#factors.get(layer.node) ?? {
      input: new Float64Array(layer.channels.input).fill(1),
      output: new Float64Array(layer.channels.output).fill(1),
    };
    return {
      layer,
      input: known.input.map((factor, c) => factor * (input?.[c] ?? 1)),
      output: known.output.map((factor, c) => factor * (output?.[c] ?? 1)),
    };
  }

  /** Whether the largest weight and bias stay numbers even with the largest factors. */
  #isSound({ layer, input, output }: Required<LayerFactors>): boolean {
    const bias = layerBias(layer, this.#workshop.index);
    if (bias === undefined) return false;
    const most = magnitude(output);
    return magnitude(layer.weight.data) * magnitude(input) * most <= MAX_FLOAT &&
      magnitude(bias) * most <= MAX_FLOAT;
  }
}

function magnitude(values: Float32Array | Float64Array): number {
  let most = 0;
  for (const value of values) most = Math.max(most, Math.abs(value));
  return most;
}
