/**
 * Operators that make one element of several: reductions, pools, running sums.
 *
 * @module
 */
import { TensorProto_DataType } from "../file/onnx_pb.ts";
import type { NodeView } from "../graph/node_view.ts";
import { each, type Kept, type Operators } from "./operator.ts";
import {
  pooled,
  pooledWhole,
  reduced,
  reducedAxis,
  regionsPooled,
  sameShape,
} from "./shape_rules.ts";

const { INT64 } = TensorProto_DataType;
const REDUCTION = {
  shape: reduced,
  data: [0],
  defaults: { keepdims: 1, noop_with_empty_axes: 0 },
} as const;
const INDEX = {
  shape: reducedAxis,
  types: [INT64],
  defaults: { axis: 0, keepdims: 1, select_last_index: 0 },
} as const;
const POOL = { auto_pad: "NOTSET", ceil_mode: 0 } as const;

/** Records of reductions and pools. */
export const REDUCTIONS: Operators = {
  ...each({ ReduceMax: 1, ReduceMin: 1 }, { ...REDUCTION, keeps: "elements" }),
  ReduceMean: { since: 1, ...REDUCTION, keeps: "means" },
  ReduceSum: { since: 1, ...REDUCTION, homogeneous: "tensor", nonNegativeWith: "first" },
  ...each({ ReduceL1: 1, ReduceL2: 1 }, {
    ...REDUCTION,
    homogeneous: "tensor",
    range: [0, Infinity],
  }),
  ReduceSumSquare: { since: 1, ...REDUCTION, range: [0, Infinity] },
  ReduceProd: { since: 1, ...REDUCTION, nonNegativeWith: "first" },
  ...each({ ReduceLogSum: 1, ReduceLogSumExp: 1 }, REDUCTION),
  ...each({ ArgMax: 1, ArgMin: 1 }, INDEX),
  CumSum: {
    since: 11,
    shape: sameShape,
    data: [0],
    homogeneous: "tensor",
    nonNegativeWith: "first",
  },

  // Its padding is −∞: each window has an element of its own.
  MaxPool: {
    since: 1,
    shape: pooled,
    types: [{ input: 0 }, INT64],
    keeps: "elements",
    defaults: POOL,
  },
  AveragePool: {
    since: 1,
    shape: pooled,
    keeps: averaged,
    homogeneous: "tensor",
    nonNegativeWith: "first",
    defaults: { ...POOL, count_include_pad: 0 },
  },
  LpPool: {
    since: 1,
    shape: pooled,
    homogeneous: "tensor",
    range: [0, Infinity],
    defaults: { ...POOL, p: 2 },
  },
  GlobalMaxPool: { since: 1, shape: pooledWhole, keeps: "elements" },
  GlobalAveragePool: { since: 1, shape: pooledWhole, keeps: "means" },
  GlobalLpPool: {
    since: 1,
    shape: pooledWhole,
    homogeneous: "tensor",
    range: [0, Infinity],
    defaults: { p: 2 },
  },
  MaxRoiPool: { since: 1, shape: regionsPooled, data: [0], homogeneous: "tensor" },
  RoiAlign: {
    since: 10,
    shape: regionsPooled,
    data: [0],
    homogeneous: "tensor",
    defaults: { output_height: 1, output_width: 1 },
  },
};

/** Means, unless padding counts in them. */
function averaged({ attributes }: NodeView): Kept | undefined {
  const { count_include_pad, auto_pad, ceil_mode, pads = [] } = attributes;
  if (count_include_pad === 0) return "means";
  const hasNoPads = typeof pads === "object" && pads.every((size) => size === 0);
  const isPlain = auto_pad === "NOTSET" || auto_pad === "VALID";
  return hasNoPads && isPlain && ceil_mode === 0 ? "means" : undefined;
}
