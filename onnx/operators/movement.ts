/**
 * Operators that move, choose or sample elements.
 *
 * @module
 */
import { TensorProto_DataType } from "../file/onnx_pb.ts";
import type { Constants, NodeView } from "../graph/node_view.ts";
import { each, type Kept, type Operators } from "./operator.ts";
import {
  blocksMoved,
  concatenated,
  expanded,
  fixedShape,
  flattened,
  gathered,
  gatheredTuples,
  lengthOfShape,
  oneAxisMore,
  reshaped,
  sameRank,
  sameShape,
  sampled,
  shapeOfAttribute,
  shapeOfIndices,
  shapeOfValue,
  sliced,
  squeezed,
  tiled,
  transposed,
  unknownShape,
  unsqueezed,
  withinAxis,
} from "./shape_rules.ts";

const { BOOL, INT64, STRING, UINT8 } = TensorProto_DataType;
/** Elements of the first input, in other places; further inputs say which. */
const MOVED = { keeps: "elements", data: [0] } as const;
const ZEROS_BETWEEN = {
  shape: sameRank,
  data: [0],
  homogeneous: "tensor",
  nonNegativeWith: "first",
} as const;
const RANDOM = {
  shape: shapeOfAttribute,
  types: [{ attribute: "dtype" }],
  defaults: { dtype: 1 },
  isRandom: true,
} as const;
const RANDOM_LIKE = {
  shape: sameShape,
  types: [{ attribute: "dtype", input: 0 }],
  isRandom: true,
} as const;

/** Records of operators that move elements. */
export const MOVEMENT: Operators = {
  ...each({ Identity: 1, ReverseSequence: 10 }, { ...MOVED, shape: sameShape }),
  // At inference; in training it computes.
  Dropout: { since: 1, ...MOVED, shape: sameShape, types: [{ input: 0 }, BOOL], hasSettings: true },
  Reshape: { since: 1, ...MOVED, shape: reshaped, defaults: { allowzero: 0 } },
  Flatten: { since: 1, ...MOVED, shape: flattened, defaults: { axis: 1 } },
  Squeeze: { since: 1, ...MOVED, shape: squeezed },
  Unsqueeze: { since: 1, ...MOVED, shape: unsqueezed },
  Transpose: { since: 1, ...MOVED, shape: transposed },
  DepthToSpace: { since: 1, ...MOVED, shape: blocksMoved(1), defaults: { mode: "DCR" } },
  SpaceToDepth: { since: 1, ...MOVED, shape: blocksMoved(-1) },
  Slice: { since: 1, ...MOVED, shape: sliced },
  Split: { since: 1, ...MOVED, shape: withinAxis, defaults: { axis: 0 } },
  Expand: { since: 8, ...MOVED, shape: expanded },
  Tile: { since: 1, ...MOVED, shape: tiled },
  Gather: { since: 1, ...MOVED, shape: gathered, defaults: { axis: 0 } },
  GatherElements: { since: 11, ...MOVED, shape: shapeOfIndices, defaults: { axis: 0 } },
  GatherND: { since: 11, ...MOVED, shape: gatheredTuples, defaults: { batch_dims: 0 } },
  Compress: { since: 9, ...MOVED, shape: withinAxis },
  TopK: {
    since: 1,
    ...MOVED,
    shape: withinAxis,
    types: [{ input: 0 }, INT64],
    defaults: { axis: -1 },
  },
  Unique: { since: 11, ...MOVED, shape: withinAxis, types: [{ input: 0 }, INT64] },

  // Elements of several inputs.
  Concat: {
    since: 1,
    shape: concatenated,
    joins: true,
    nonNegativeWith: "all",
    passesMask: true,
  },
  ...each({ ScatterElements: 11, ScatterND: 11 }, { shape: sameShape, data: [0, 2] }),
  Scatter: { since: 9, until: 11, shape: sameShape, data: [0, 2] },
  TensorScatter: { since: 24, shape: sameShape, data: [0, 1], joins: true },

  // Elements of the first input, and zeros or a constant around or between them.
  Pad: {
    since: 1,
    shape: sameRank,
    data: [0],
    homogeneous: padsZerosOrItself,
    passesMask: true,
    hasSettings: true,
    defaults: { mode: "constant" },
  },
  Trilu: { since: 14, ...ZEROS_BETWEEN, shape: sameShape },
  ...each({ CenterCropPad: 18, MaxUnpool: 9 }, ZEROS_BETWEEN),
  Col2Im: { since: 18, shape: unknownShape, data: [0], homogeneous: "tensor" },

  // Sampling between elements.
  Resize: {
    since: 10,
    shape: sameRank,
    data: [0],
    keeps: interpolated,
    homogeneous: ({ attributes }) =>
      attributes.coordinate_transformation_mode !== "tf_crop_and_resize",
    hasSettings: true,
    defaults: { mode: "nearest", coordinate_transformation_mode: "half_pixel" },
  },
  Upsample: {
    since: 1,
    until: 10,
    shape: sameRank,
    data: [0],
    keeps: interpolated,
    homogeneous: "tensor",
    hasSettings: true,
    defaults: { mode: "nearest" },
  },
  GridSample: { since: 16, shape: sampled, data: [0], homogeneous: "tensor" },
  AffineGrid: { since: 20, shape: unknownShape, data: [0] },

  // Shapes, indices, and tensors from nothing.
  Shape: { since: 1, shape: lengthOfShape, types: [INT64], defaults: { start: 0 } },
  Size: { since: 1, shape: fixedShape(), types: [INT64] },
  NonZero: { since: 9, shape: fixedShape(undefined, undefined), types: [INT64] },
  NonMaxSuppression: {
    since: 10,
    shape: fixedShape(undefined, 3),
    types: [INT64],
    data: [0, 1],
    hasSettings: true,
  },
  OneHot: { since: 9, shape: oneAxisMore, types: [{ input: 2 }], data: [0], hasSettings: true },
  Range: { since: 11, shape: fixedShape(undefined) },
  EyeLike: { since: 9, shape: sameShape, types: [{ attribute: "dtype", input: 0 }] },
  // The value is a tensor among its attributes.
  Constant: { since: 1, shape: unknownShape, types: [] },
  ConstantOfShape: { since: 9, shape: shapeOfValue, types: [] },
  ...each({ RandomNormal: 1, RandomUniform: 1 }, RANDOM),
  ...each({ Bernoulli: 15, RandomNormalLike: 1, RandomUniformLike: 1 }, RANDOM_LIKE),
  Multinomial: {
    since: 7,
    shape: ({ shapes: [x] }) => [x?.[0], undefined],
    types: [{ attribute: "dtype" }],
    defaults: { dtype: TensorProto_DataType.INT32 },
    isRandom: true,
  },
  ImageDecoder: { since: 20, shape: fixedShape(undefined, undefined, undefined), types: [UINT8] },
  StringNormalizer: { since: 10, shape: unknownShape, types: [STRING] },
};

/** The nearest element or a mean of neighbours; cubic weights may be negative, and behind an edge may be a constant. */
function interpolated({ attributes }: NodeView): Kept | undefined {
  const { mode, coordinate_transformation_mode } = attributes;
  if (mode === "cubic" || coordinate_transformation_mode === "tf_crop_and_resize") return undefined;
  return mode === "nearest" ? "elements" : "means";
}

/** Whether a Pad puts nothing but zeros, or elements of its input, around it. */
function padsZerosOrItself({ inputs, attributes }: NodeView, constants: Constants): boolean {
  if (attributes.mode !== "constant") return true;
  const name = inputs[2] ?? "";
  return (name === "" ? attributes.value ?? 0 : constants.numbers(name)?.[0]) === 0;
}
