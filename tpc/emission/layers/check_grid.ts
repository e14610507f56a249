/**
 * Whether the steps of a manifest are as many as its weights want: manifests are edited by hand, and models change.
 *
 * @module
 */
import { elementCount } from "../../../onnx/file/tensor.ts";
import type { GraphEditor } from "../editor/graph_editor.ts";
import type { LayerWeight } from "./layer_weight.ts";

/**
 * Checks the grid of weights against the tensor that it is for.
 *
 * @throws {PlimsollError} kind `model`.
 */
export function checkGrid(graph: GraphEditor, edit: LayerWeight): void {
  const { axis, blockSize, scales, zeroPoints, rounded } = edit;
  const { name, dims } = graph.constant(edit.node, edit.input);
  const what = JSON.stringify(name);
  // A scalar, as a constant operand may be, has no axes.
  const size = axis === undefined ? undefined : dims[axis] ?? (dims.length === 0 ? 1 : 0);
  const wanted = size === undefined
    ? 1
    : blockSize === undefined
    ? size
    : elementCount(dims) / size * Math.ceil(size / blockSize);
  if (scales.length !== wanted) {
    throw graph.missing(
      `weights ${what} of shape [${dims}] with ${scales.length} steps${
        axis === undefined ? "" : ` along axis ${axis}`
      }`,
    );
  }
  if (zeroPoints.length !== scales.length) {
    throw graph.missing(`${zeroPoints.length} zero points for ${scales.length} steps of ${what}`);
  }
  if (rounded !== undefined && rounded.length !== elementCount(dims)) {
    throw graph.missing(`weights ${what} with ${rounded.length} codes`);
  }
}
