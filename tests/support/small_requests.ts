/** Requests that take milliseconds, many different ones: whoever mixes two of them up is found out. */
import { writeModel } from "../../onnx/file/model.ts";
import { makeTensor } from "../../onnx/file/tensor.ts";
import { model, node, value } from "./onnx.ts";
import { floats, gaussian } from "./random.ts";

/** Numbers in a sample. */
const WIDTH = 12;

/** A request by its number: another model, another number of samples, other values. */
export interface SmallRequest {
  /** Path and query, behind the slash of the server's address. */
  readonly path: string;
  readonly model: Uint8Array<ArrayBuffer>;
  readonly samples: Uint8Array<ArrayBuffer>;
}

/** Makes a request. */
export function smallRequest(number: number): SmallRequest {
  const random = gaussian(number + 1);
  const hidden = 3 + number % 5;
  const file = writeModel(model({
    nodes: [
      node("Gemm", ["x", "a"], ["h"]),
      node(number % 2 === 0 ? "Relu" : "Sigmoid", ["h"], ["r"]),
      node("Gemm", ["r", "b"], ["y"]),
    ],
    inputs: [value("x", ["n", WIDTH])],
    outputs: [value("y", ["n", 4])],
    initializers: [
      makeTensor("a", [WIDTH, hidden], floats(WIDTH * hidden, random)),
      makeTensor("b", [hidden, 4], floats(hidden * 4, random)),
    ],
  }));
  const values = floats(WIDTH * (2 + number % 7), random);
  return {
    path: `v1/calibrate?data-format=raw&input-shape=${WIDTH}&batch=${1 + number % 3}`,
    model: file,
    samples: new Uint8Array(values.buffer as ArrayBuffer),
  };
}

/** Sends it. */
export async function sendSmall(
  url: string,
  { path, model, samples }: SmallRequest,
  init: RequestInit = {},
): Promise<Response> {
  const body = new FormData();
  body.append("model", new Blob([model]), "model");
  body.append("samples", new Blob([samples]), "samples");
  return await fetch(url + path, { method: "POST", body, ...init });
}
