/**
 * Linear layers whose weights lie in blocks of four bits, computing in float: ONNX Runtime's MatMulNBits.
 *
 * Its weights are [outputs, blocks, bytes of a block], two codes a byte with the first in the lower half, its scales
 * [outputs · blocks], its zero points packed by output (`MatMulNBits` in ONNX Runtime's ContribOperators.md). Accuracy
 * level 1 is float32 arithmetic; level 4 would quantize activations, which nobody has wished.
 *
 * @module
 */
import { intAttribute } from "../../../onnx/graph/node.ts";
import { CONTRIB_DOMAIN, type GraphEditor } from "../editor/graph_editor.ts";
import type { LayerWeight } from "./layer_weight.ts";
import { readMatrix } from "./matrix.ts";
import { packNibbles } from "./nibbles.ts";
import { SharedWeights } from "./shared_weights.ts";

const BITS = 4;
const FLOAT32 = 1;

/** Names of initializers: codes, steps, and zero points where they aren't 8. */
interface StoredBlocks {
  readonly inputs: readonly string[];
  readonly rows: number;
  readonly columns: number;
}

/** Makes such layers of MatMul and Gemm. */
export class BlockLayers {
  readonly #graph: GraphEditor;
  readonly #weights = new SharedWeights<StoredBlocks>();

  constructor(graph: GraphEditor) {
    this.#graph = graph;
  }

  /** Replaces one layer. Its bias is what it has by now. */
  make(edit: LayerWeight): void {
    const graph = this.#graph;
    const { blockSize } = edit;
    if (blockSize === undefined) throw new RangeError(`Weights of ${edit.node} have no blocks`);
    const node = graph.node(edit.node);
    const { name } = graph.constant(edit.node, edit.input);
    const isTransposed = intAttribute(node, "transB", 0) !== 0;
    const { inputs, rows, columns } = this.#weights.get(
      `${isTransposed} ${name}`,
      edit,
      () => store(graph, edit, blockSize),
    );
    const [input, , bias = ""] = graph.inputsOf(node);
    const [output] = graph.outputsOf(node);
    const attributes = {
      K: rows,
      N: columns,
      bits: BITS,
      block_size: blockSize,
      accuracy_level: FLOAT32,
    };
    graph.remove(node);
    const product = bias === "" ? output : graph.fresh(`${output}/product`);
    graph.add("MatMulNBits", [input, ...inputs], product, {
      attributes,
      domain: CONTRIB_DOMAIN,
      name: edit.node,
    });
    if (bias !== "") graph.add("Add", [product, bias], output);
  }
}

function store(graph: GraphEditor, edit: LayerWeight, blockSize: number): StoredBlocks {
  const { name, rows, columns, codes, scales, zeroPoints, isTransposed } = readMatrix(graph, edit);
  const blocks = Math.ceil(rows / blockSize);
  // int4 counts from −8, the operator from 0, with 8 for zero where nothing else is said.
  const offset = edit.storage === "int4" ? 2 ** (BITS - 1) : 0;
  const isSymmetric = zeroPoints.every((zero) => zero + offset === 2 ** (BITS - 1));
  const packed = packNibbles(
    columns,
    blocks * blockSize,
    (o, i) => i < rows ? codes[i * columns + o] + offset : offset,
  );
  /** Place of a block among scales: they follow the axes of the weights. */
  const placeOf = (o: number, block: number) =>
    isTransposed ? o * blocks + block : block * columns + o;
  const steps = Float32Array.from(
    { length: columns * blocks },
    (_, i) => scales[placeOf(Math.floor(i / blocks), i % blocks)],
  );
  const inputs = [
    graph.tensor(`${name}/blocks`, [columns, blocks, blockSize / 2], packed),
    graph.tensor(`${name}/scale`, [columns * blocks], steps),
  ];
  if (!isSymmetric) {
    const zeros = packNibbles(
      columns,
      blocks,
      (o, block) => zeroPoints[placeOf(o, block)] + offset,
    );
    inputs.push(graph.tensor(`${name}/zero_point`, [zeros.length], zeros));
  }
  return { inputs, rows, columns };
}
