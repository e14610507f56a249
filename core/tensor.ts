/**
 * Values that flow through the pipeline.
 *
 * @module
 */

/** A dense float32 tensor, row-major. */
export interface Tensor {
  /** Its elements. */
  readonly data: Float32Array;
  /** Its shape; none for a scalar. */
  readonly dims: readonly number[];
}

/** A tensor that a model takes: float32, or integers and booleans as token ids and masks are. */
export interface InputTensor {
  /** Its elements; booleans as bytes 0 and 1. */
  readonly data: Float32Array | Int32Array | BigInt64Array | Uint8Array;
  /** Its shape; none for a scalar. */
  readonly dims: readonly number[];
}

/** What a model takes for one sample: its only input, or its inputs by name. */
export type SampleInput = InputTensor | Readonly<Record<string, InputTensor>>;

/** One record as a source gives it, before preprocessing. Exactly one of the contents is there. */
export interface RawSample {
  /** Position in the data set, from 0; no two samples have the same. */
  readonly index: number;
  /** What to call it in messages: file and position. */
  readonly id: string;
  /** Class index, when the data are labelled. */
  readonly label?: number;
  /** Decoded pixels. */
  readonly image?: PixelImage;
  /** An image file: JPEG, PNG, WebP, GIF, BMP. */
  readonly encoded?: Uint8Array;
  /** Numbers that go to the model as they are. */
  readonly input?: SampleInput;
  /** Text, which a tokenizer makes numbers of. */
  readonly text?: RawText;
}

/** A text, or two that belong together, as a question and a passage. */
export interface RawText {
  /** The text, or the first one. */
  readonly text: string;
  /** The second one. */
  readonly pair?: string;
}

/** Pixels 0 … 255, row-major, height × width × channels. */
export interface PixelImage {
  /** The values. */
  readonly pixels: Uint8Array;
  /** Rows of pixels. */
  readonly height: number;
  /** Pixels in a row. */
  readonly width: number;
  /** Values of a pixel. */
  readonly channels: number;
}

/** One preprocessed sample: what the model takes, without the batch axis. */
export interface Sample<Input extends SampleInput = SampleInput> {
  /** Position in the data set, from 0; no two samples have the same. */
  readonly index: number;
  /** What to call it in messages. */
  readonly id: string;
  /** The model's input or inputs for this sample. */
  readonly input: Input;
  /** Class index, when the data are labelled. */
  readonly label?: number;
}

/** Consecutive samples, stacked along axis 0. */
export interface Batch {
  readonly samples: readonly Sample[];
  /** By name; the only input of a model may be called "". */
  readonly inputs: ReadonlyMap<string, InputTensor>;
}

/** A batch with the tensors that inference made of it. */
export interface InferredBatch {
  readonly batch: Batch;
  readonly outputs: ReadonlyMap<string, Tensor>;
}

/** Sample i of a tensor that holds a batch of `size` samples along its first axis; shares the elements. */
export function sampleOf({ data, dims }: Tensor, i: number, size: number): Tensor {
  const length = Math.floor(data.length / size);
  return {
    data: data.subarray(i * length, (i + 1) * length),
    dims: [Math.max(1, Math.floor((dims[0] ?? 1) / size)), ...dims.slice(1)],
  };
}

/** The tensors of a sample by name; that of an only input is called "". */
export function inputsOf({ input }: Pick<Sample, "input">): [string, InputTensor][] {
  return isTensor(input) ? [["", input]] : Object.entries(input);
}

function isTensor(input: SampleInput): input is InputTensor {
  return ArrayBuffer.isView((input as InputTensor).data);
}
