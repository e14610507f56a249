/**
 * Memory of a request's model, given back when the runtime has its weights: an isolate at the edge has little.
 *
 * @module
 */
import { freeBuffers } from "../../core/free_buffers.ts";
import type { Model } from "../../onnx/file/model.ts";
import type { Runtime } from "../../pipeline/inference/runtime.ts";

/**
 * A runtime for whoever opens one session and then needs no weights any more: it takes them, from the request's file and
 * from the model that was made of it, as soon as the session is there.
 *
 * @param file The model as the request brought it.
 */
export function spendingModel(runtime: Runtime, file: Uint8Array<ArrayBuffer>): Runtime {
  return {
    name: runtime.name,
    version: runtime.version,
    runConstants: runtime.runConstants,
    get lost() {
      return runtime.lost;
    },
    open: async (model, options) => {
      const session = await runtime.open(model, options);
      freeBuffers([file, ...weightsOf(model)]);
      return session;
    },
  };
}

/** The weights, each in an array of its own or a view into the file. */
function weightsOf({ graph }: Model): Uint8Array[] {
  return graph.initializer.map(({ rawData }) => rawData);
}
