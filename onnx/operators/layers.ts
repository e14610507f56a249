/**
 * Layers: convolutions, matrix products, normalisations, attention, recurrence, signals.
 *
 * @module
 */
import { TensorProto_DataType } from "../file/onnx_pb.ts";
import { each, type Operators } from "./operator.ts";
import {
  attended,
  convolved,
  convolvedBack,
  fixedShape,
  multiplied,
  multipliedStacks,
  sameRank,
  sameShape,
  summed,
  unknownShape,
  unrolled,
} from "./shape_rules.ts";

const { BOOL, FLOAT } = TensorProto_DataType;
const CONV = { group: 1, auto_pad: "NOTSET" } as const;
/** A normalisation with a scale, and an offset perhaps. */
const NORM = { shape: sameShape, data: [0], defaults: { epsilon: 1e-5 } } as const;
/** The weights and bias of recurrent layers are parameters, and so are lengths of sequences. */
const RECURRENT = { shape: unrolled, defaults: { direction: "forward", layout: 0 } } as const;
const WINDOW = {
  shape: fixedShape(undefined),
  types: [{ attribute: "output_datatype" }],
  defaults: { output_datatype: 1, periodic: 1 },
} as const;

/** Records of layers. */
export const LAYERS: Operators = {
  Conv: {
    since: 1,
    shape: convolved(1),
    data: [0],
    weights: { input: 1, bias: 2, axis: 0, inputAxis: 1, channels: 1, areNeeded: true },
    isLinear: true,
    defaults: CONV,
  },
  ConvTranspose: {
    since: 1,
    shape: convolvedBack,
    data: [0],
    weights: { input: 1, bias: 2, axis: 1, inputAxis: 0, channels: 1, areNeeded: true },
    isLinear: true,
    defaults: CONV,
  },
  Gemm: {
    since: 1,
    shape: multiplied,
    data: [0],
    weights: {
      input: 1,
      bias: 2,
      axis: 1,
      inputAxis: 0,
      swappedBy: "transB",
      channels: 1,
      areNeeded: true,
    },
    isLinear: true,
    defaults: { alpha: 1, beta: 1, transA: 0, transB: 0 },
  },
  MatMul: {
    since: 1,
    shape: multipliedStacks(1),
    weights: { input: 1, axis: -1, inputAxis: -2, channels: -1, areNeeded: false },
    isLinear: true,
  },
  // Not linear in one input alone: the offsets are data, too.
  DeformConv: { since: 19, shape: convolved(1), data: [0], defaults: { group: 1 } },
  Einsum: { since: 12, shape: summed },
  Det: { since: 11, shape: ({ shapes: [x] }) => x?.slice(0, -2) },

  // Normalisations.
  BatchNormalization: { since: 1, ...NORM, types: [{ input: 0 }, { input: 3 }] },
  ...each({ InstanceNormalization: 1, GroupNormalization: 18 }, NORM),
  LayerNormalization: {
    since: 17,
    ...NORM,
    types: [{ input: 0 }, { attribute: "stash_type" }],
    defaults: { axis: -1, epsilon: 1e-5, stash_type: 1 },
  },
  RMSNormalization: { since: 23, ...NORM, types: [{ input: 1 }] },
  LpNormalization: { since: 1, shape: sameShape, defaults: { axis: -1, p: 2 } },
  MeanVarianceNormalization: { since: 9, shape: sameShape },
  LRN: { since: 1, shape: sameShape },
  ...each({ Softmax: 1, Hardmax: 1 }, {
    shape: sameShape,
    range: [0, 1],
    defaults: { axis: -1 },
  }),
  LogSoftmax: { since: 1, shape: sameShape, range: [-Infinity, 0], defaults: { axis: -1 } },

  // Attention and recurrence.
  Attention: { since: 23, shape: attended, data: [0, 1, 2, 4, 5] },
  RotaryEmbedding: { since: 23, shape: sameShape, data: [0] },
  ...each({ GRU: 1, RNN: 1 }, { ...RECURRENT, data: [0, 5] }),
  LSTM: { since: 1, ...RECURRENT, data: [0, 5, 6] },

  // Signals. A spectrum has real and imaginary parts along its last axis.
  DFT: { since: 17, shape: sameRank, data: [0], homogeneous: "tensor" },
  STFT: { since: 17, shape: ({ shapes: [x] }) => [x?.[0], undefined, undefined, 2], data: [0] },
  ...each({ BlackmanWindow: 17, HammingWindow: 17, HannWindow: 17 }, WINDOW),
  MelWeightMatrix: {
    since: 17,
    shape: fixedShape(undefined, undefined),
    types: [{ attribute: "output_datatype" }],
    defaults: { output_datatype: 1 },
  },
  TfIdfVectorizer: { since: 9, shape: unknownShape, types: [FLOAT] },

  // Graphs inside: what they give is written in them.
  ...each({ If: 1, Loop: 1, Scan: 8 }, { shape: unknownShape, types: [] }),
  SequenceMap: { since: 17, shape: unknownShape, types: [], makesNoTensors: true },

  // Sequences and optional values.
  ...each(
    { Optional: 15, SequenceConstruct: 11, SequenceEmpty: 11, SequenceErase: 11 },
    { shape: unknownShape, types: [], makesNoTensors: true },
  ),
  ...each({ SequenceInsert: 11, SplitToSequence: 11 }, {
    shape: unknownShape,
    types: [],
    makesNoTensors: true,
  }),
  ...each({ ConcatFromSequence: 11, OptionalGetElement: 15, SequenceAt: 11 }, {
    shape: unknownShape,
    types: [],
  }),
  OptionalHasElement: { since: 15, shape: fixedShape(), types: [BOOL] },
  SequenceLength: { since: 11, shape: fixedShape(), types: [TensorProto_DataType.INT64] },
};
