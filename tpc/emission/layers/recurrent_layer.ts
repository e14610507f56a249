/**
 * LSTM with weights in int8: ONNX Runtime's DynamicQuantizeLSTM.
 *
 * It quantizes its input and its state at every step of the sequence, multiplies in integers and computes gates in
 * float. Weights lie transposed, [directions, inputs, 4·hidden], with a step for each output channel of each direction
 * (`DynamicQuantizeLSTM` in ContribOperators.md); all other inputs and attributes are those of LSTM.
 *
 * @module
 */
import { withFields } from "../../../onnx/file/model.ts";
import { elementCount } from "../../../onnx/file/tensor.ts";
import { quantizeRows } from "../../../onnx/quantized/quantize_rows.ts";
import { CONTRIB_DOMAIN, type GraphEditor } from "../editor/graph_editor.ts";
import { transpose } from "./matrix.ts";

/** Inputs that LSTM may have; the steps of weights follow them. */
const LSTM_INPUTS = 8;

/** Replaces an LSTM with constant weights. */
export function makeRecurrentLayer(
  graph: GraphEditor,
  { node: name, bits }: { readonly node: string; readonly bits: number },
): void {
  const node = graph.node(name);
  const [weights, recurrence] = [1, 2].map((input) => store(graph, name, input, bits));
  const own = graph.inputsOf(node);
  const inputs = Array.from({ length: LSTM_INPUTS }, (_, i) => own[i] ?? "");
  inputs[1] = weights.codes;
  inputs[2] = recurrence.codes;
  graph.remove(node);
  graph.addNode(
    withFields(node, {
      opType: "DynamicQuantizeLSTM",
      domain: CONTRIB_DOMAIN,
      name,
      input: [...inputs, ...weights.grid, ...recurrence.grid],
      output: [...graph.outputsOf(node)],
    }),
  );
}

function store(graph: GraphEditor, node: string, input: number, bits: number) {
  const { name, dims, data } = graph.constant(node, input);
  const [directions, channels, size] = dims;
  const { codes, scales } = quantizeRows(data, [directions * channels, size], bits);
  const turned = new Int16Array(codes.length);
  const length = elementCount([channels, size]);
  for (let d = 0; d < directions; d++) {
    turned.set(transpose(codes.subarray(d * length, (d + 1) * length), channels, size), d * length);
  }
  return {
    codes: graph.codes(`${name}/quantized`, [directions, size, channels], turned, "int8"),
    grid: [
      graph.tensor(`${name}/scale`, [directions, channels], scales),
      graph.codes(
        `${name}/zero_point`,
        [directions, channels],
        new Int8Array(scales.length),
        "int8",
      ),
    ],
  };
}
