/** Architectures through the whole way, with random samples. */
import type { Sample, Tensor } from "../../core/tensor.ts";
import { loadFloatModel, type Quantization, quantize } from "../../pipeline/quantize/quantize.ts";
import { writeModel } from "../../onnx/file/model.ts";
import { presetTarget } from "../../tpc/targets/read_target.ts";
import type { Target } from "../../tpc/targets/target.ts";
import type { Architecture } from "./architectures.ts";
import { floats, gaussian } from "./random.ts";

/** Standard normal samples in the shape of a network's input. */
export function samplesFor({ input }: Architecture, count: number): Sample<Tensor>[] {
  const random = gaussian(7);
  const [, ...dims] = input;
  const length = dims.reduce((a, b) => a * b, 1);
  return Array.from({ length: count }, (_, index) => ({
    index,
    id: `sample ${index}`,
    input: { data: floats(length, random), dims },
  }));
}

/** Quantizes a network for a preset, or for a target made of one. */
export async function quantizeArchitecture(
  architecture: Architecture,
  preset: string,
  change: (target: Target) => Target = (target) => target,
): Promise<Quantization> {
  const float = await loadFloatModel(writeModel(architecture.model), "the network");
  const target = change(presetTarget(preset)!);
  return await quantize(float, ReadableStream.from(samplesFor(architecture, 12)), { target });
}

/** 10·log10(Σx² / Σ(x − y)²) in dB. */
export function sqnr(reference: Float32Array, found: Float32Array): number {
  let [signal, noise] = [0, 0];
  reference.forEach((x, i) => {
    signal += x * x;
    noise += (x - found[i]) ** 2;
  });
  return 10 * Math.log10(signal / noise);
}
