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

/** One image or record as a source gives it, before preprocessing. */
export interface RawSample {
  /** Position in the data set, from 0. */
  readonly index: number;
  /** What to call it in messages: file and position. */
  readonly id: string;
  /** Pixels 0 … 255, row-major, height × width × channels. */
  readonly pixels: Uint8Array;
  /** Rows of pixels. */
  readonly height: number;
  /** Pixels in a row. */
  readonly width: number;
  /** Values of a pixel. */
  readonly channels: number;
  /** Class index, when the data are labelled. */
  readonly label?: number;
}

/** One preprocessed sample: the model's input without the batch axis. */
export interface Sample {
  /** Position in the data set, from 0. */
  readonly index: number;
  /** What to call it in messages. */
  readonly id: string;
  /** The model's input for this sample. */
  readonly input: Tensor;
  /** Class index, when the data are labelled. */
  readonly label?: number;
}

/** Consecutive samples, stacked along axis 0. */
export interface Batch {
  readonly samples: readonly Sample[];
  readonly input: Tensor;
}

/** A batch with the tensors that inference made of it. */
export interface InferredBatch {
  readonly batch: Batch;
  readonly outputs: ReadonlyMap<string, Tensor>;
}
