/**
 * A stage that keeps samples on their way.
 *
 * @module
 */
import { inputsOf, type InputTensor, type Sample, type SampleInput } from "../../core/tensor.ts";

/**
 * Passes samples on as they are, and keeps copies of the first ones: whoever gets them may take their buffers.
 *
 * @param kept Gets the copies.
 * @param limits Most samples, and most bytes of their inputs together; one sample is kept whatever its size.
 */
export function keepFirst(
  kept: Sample[],
  limits: { readonly samples: number; readonly bytes: number },
): TransformStream<Sample, Sample> {
  let bytes = 0;
  return new TransformStream<Sample, Sample>(
    {
      transform: (sample, controller) => {
        const size = inputsOf(sample).reduce((sum, [_, { data }]) => sum + data.byteLength, 0);
        if (kept.length < limits.samples && (kept.length === 0 || bytes + size <= limits.bytes)) {
          bytes += size;
          kept.push({ ...sample, input: copyOf(sample) });
        }
        controller.enqueue(sample);
      },
    },
    undefined,
    { highWaterMark: 0 },
  );
}

function copyOf(sample: Sample): SampleInput {
  const copies = inputsOf(sample).map(([name, { data, dims }]) =>
    [name, { data: data.slice(), dims }] as [string, InputTensor]
  );
  return copies.length === 1 && copies[0][0] === "" ? copies[0][1] : Object.fromEntries(copies);
}
