/** Networks through the whole way, as a recipe wishes. */
import { writeModel } from "../../onnx/file/model.ts";
import { loadFloatModel, type Quantization, quantize } from "../../pipeline/quantize/quantize.ts";
import type { Recipe } from "../../tpc/recipe/recipe.ts";
import type { Architecture } from "./architectures.ts";
import { samplesFor } from "./quantize_architecture.ts";

/** Quantizes a network on a dozen random samples. */
export async function quantizeWished(
  architecture: Architecture,
  recipe: Recipe,
): Promise<Quantization> {
  const float = await loadFloatModel(writeModel(architecture.model), "the network");
  return await quantize(float, samplesFor(architecture, 12), recipe);
}

/** Feeds of a network with one input, by its name. */
export function feedsFor(architecture: Architecture, count: number) {
  const [{ name }] = architecture.model.graph.input;
  const { input: dims } = architecture;
  const samples = samplesFor(architecture, count * dims[0]);
  return Array.from({ length: count }, (_, i) => {
    const batch = samples.slice(i * dims[0], (i + 1) * dims[0]);
    return {
      [name]: { data: Float32Array.from(batch.flatMap(({ input }) => [...input.data])), dims },
    };
  });
}
