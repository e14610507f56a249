/** A runtime that breaks at its first run, as a heap that is full can: prints what is said then and later. */
import * as ort from "onnxruntime-web/wasm";
import { createHandler } from "../../../apps/http/mod.ts";
import { supplyRuntime } from "../../../pipeline/inference/default_runtime.ts";
import { createSession } from "../../../pipeline/inference/default_runtime.ts";
import { demoForm, demoOptions } from "../requests.ts";
import { model, node, value } from "../onnx.ts";

let isBroken = false;
const InferenceSession = {
  create: (...args: Parameters<typeof ort.InferenceSession.create>) => {
    if (isBroken) throw new WebAssembly.RuntimeError("memory access out of bounds");
    return ort.InferenceSession.create(...args).then((session) => {
      session.run = () => {
        isBroken = true;
        return Promise.reject(new Error("Aborted(OOM). Build with -sASSERTIONS for more info."));
      };
      return session;
    });
  },
};
ort.env.wasm.numThreads = 1;
supplyRuntime({ kind: "native", runtime: { InferenceSession: webSession(), Tensor: ort.Tensor } });

/** onnxruntime-web under another name: its provider is called wasm. */
function webSession(): object {
  return {
    create: (bytes: Uint8Array, options: ort.InferenceSession.SessionOptions) =>
      InferenceSession.create(bytes, { ...options, executionProviders: ["wasm"] }),
  };
}

const tiny = model({
  nodes: [node("Relu", ["x"], ["y"])],
  inputs: [value("x", ["n", 4])],
  outputs: [value("y", ["n", 4])],
});
const messageOf = (work: Promise<unknown>) =>
  work.then(() => "it worked", ({ message }) => message);
const session = await createSession(tiny, { name: "tiny" });
const first = await messageOf(
  session.run(new Map([["x", { data: new Float32Array(16), dims: [4, 4] }]]), ["y"]),
);
const second = await messageOf(createSession(tiny, { name: "tiny" }));
const { fetch } = createHandler();
const health = await fetch(new Request("http://localhost/health"));
const answer = await fetch(
  new Request(`http://localhost/v1/calibrate?${await demoOptions()}`, {
    ...{ method: "POST", body: await demoForm() },
  }),
);
Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify({
  first,
  second,
  health: [health.status, (await health.json()).status],
  problem: [answer.status, (await answer.json()).type],
})));
