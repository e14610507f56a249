/**
 * Tables of Gather in blocks of four bits: ONNX Runtime's GatherBlockQuantized.
 *
 * Each block of a row has an affine grid of 16 codes. They lie two a byte in uint8, as the operator takes them beside
 * uint4 (ContribOperators.md, `bits`): of uint4 it takes four times as long (native 1.32, measured).
 *
 * @module
 */
import { elementCount } from "../../../onnx/file/tensor.ts";
import { makeNode } from "../../../onnx/graph/node.ts";
import { withFields } from "../../../onnx/file/model.ts";
import { quantizeBlocks } from "../../../onnx/quantized/quantize_blocks.ts";
import { CONTRIB_DOMAIN, type GraphEditor } from "../editor/graph_editor.ts";
import { packNibbles } from "./nibbles.ts";

const BITS = 4;

/** Replaces Gathers of rows of matrices. Tables that several of them read are stored once. */
export class BlockTables {
  readonly #graph: GraphEditor;
  readonly #stored = new Map<string, readonly string[]>();

  constructor(graph: GraphEditor) {
    this.#graph = graph;
  }

  /** Replaces one Gather; a row has to be of whole blocks. */
  make(node: string, blockSize: number): void {
    const graph = this.#graph;
    const gather = graph.node(node);
    const { name } = graph.constant(node, 0);
    const [, indices] = graph.inputsOf(gather);
    const output = [...graph.outputsOf(gather)];
    const [codes, ...grid] = this.#stored.get(name) ?? store(graph, name, blockSize);
    this.#stored.set(name, [codes, ...grid]);
    graph.remove(gather);
    const attributes = { bits: BITS, block_size: blockSize, gather_axis: 0, quantize_axis: 1 };
    const inputs = [codes, indices, ...grid];
    const made = makeNode("GatherBlockQuantized", node, inputs, output, attributes);
    graph.addNode(withFields(made, { domain: CONTRIB_DOMAIN }));
  }
}

function store(graph: GraphEditor, name: string, blockSize: number): readonly string[] {
  const { dims, data } = graph.floats(name);
  const [rows, columns] = [dims[0], elementCount(dims.slice(1))];
  const blocks = columns / blockSize;
  const { codes, scales, zeroPoints } = quantizeBlocks(data, blockSize, BITS);
  const packed = packNibbles(rows, columns, (row, i) => codes[row * columns + i]);
  const zeros = packNibbles(rows, blocks, (row, block) => zeroPoints[row * blocks + block]);
  return [
    graph.tensor(`${name}/blocks`, [rows, columns / 2], packed),
    graph.tensor(`${name}/scale`, [rows, blocks], scales),
    graph.tensor(`${name}/zero_point`, [rows, Math.ceil(blocks / 2)], zeros),
  ];
}
