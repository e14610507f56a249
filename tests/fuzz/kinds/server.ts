/** Requests to the HTTP handler, as a function. */
import { createHandler } from "../../../apps/http/mod.ts";
import { jsonBytes, mutateBytes, mutateJson } from "../mutate.ts";
import { writeModel } from "../../../onnx/file/model.ts";
import type { Kind, Kinds } from "../kind.ts";
import { concat } from "../containers.ts";
import { ODD_TEXTS } from "../chance.ts";
import { convolutional, quantized, samplesOf } from "../seeds.ts";

const text = new TextEncoder();
const BOUNDARY = "xxBOUNDARYxx";

/** Kinds of requests. */
export const SERVER: Kinds = {
  http: async (): Promise<Kind> => {
    const defects: unknown[] = [];
    const handler = createHandler({
      onDefect: (error) => void defects.push(error),
      limits: { requestSeconds: 20, stallSeconds: 20 } as never,
    });
    const { manifest, statistics } = await quantized();
    const model = writeModel(convolutional());
    const samples = text.encode(
      samplesOf(3).map(({ input }) => JSON.stringify({ input: [...input.data].slice(0, 4) })).join(
        "\n",
      ),
    );
    const parts: Readonly<Record<string, Uint8Array>> = {
      model,
      manifest: jsonBytes(manifest),
      statistics,
      samples,
      target: jsonBytes("default"),
    };
    return {
      ending: "http",
      isSlow: true,
      // First line: path and query; second: content type; the rest is the body.
      make: (chance) => {
        const path = chance.pick([
          "/v1/search",
          "/v1/emit",
          "/v1/quantize",
          "/v1/calibrate",
          "/health",
          "/v1/x",
        ]);
        const names = chance.pick([["statistics"], ["model", "manifest"], ["statistics", "model"], [
          "model",
          "samples",
        ]]);
        const options = mutateJson(chance, {
          ...{
            target: "onnxruntime",
            error: "mse",
            bits: 8,
            dataFormat: "ndjson",
            result: "manifest",
          },
          override: [{ match: { node: "Conv*" }, quantize: false }],
        });
        const body = concat([
          ...names.flatMap((name) => {
            const head = `--${BOUNDARY}\r\ncontent-disposition: form-data; name="${
              chance.happens(0.05) ? chance.pick(ODD_TEXTS).slice(0, 50) : name
            }"; filename="${name}"\r\n\r\n`;
            const content = chance.happens(0.4) ? mutateBytes(chance, parts[name]) : parts[name];
            return [text.encode(head), content, text.encode("\r\n")];
          }),
          ...chance.happens(0.5)
            ? [
              text.encode(
                `--${BOUNDARY}\r\ncontent-disposition: form-data; name="options"\r\n\r\n`,
              ),
              jsonBytes(options),
              text.encode("\r\n"),
            ]
            : [],
          text.encode(`--${BOUNDARY}--\r\n`),
        ]);
        const query = chance.happens(0.5)
          ? `?target=${
            encodeURIComponent(
              chance.pick([
                "default",
                "tflite",
                ...ODD_TEXTS.filter((t) => t !== "\ud800"),
              ]).slice(0, 200),
            )
          }`
          : "";
        const type = chance.happens(0.1)
          ? chance.pick(["", "text/plain", "multipart/form-data", "multipart/form-data; boundary="])
          : `multipart/form-data; boundary=${BOUNDARY}`;
        const whole = concat([text.encode(`${path}${query}\n${type}\n`), body]);
        return chance.happens(0.2)
          ? mutateBytes(chance, whole, path.length + query.length + type.length + 2)
          : whole;
      },
      run: async (bytes) => {
        const first = bytes.indexOf(10);
        const second = bytes.indexOf(10, first + 1);
        const line = (from: number, to: number) =>
          new TextDecoder().decode(bytes.subarray(from, to));
        const isGet = line(0, first) === "/health";
        defects.length = 0;
        const response = await handler.fetch(
          new Request(`http://localhost${line(0, first)}`, {
            method: isGet ? "GET" : "POST",
            headers: { "content-type": line(first + 1, second) },
            ...(isGet ? {} : { body: bytes.slice(second + 1) }),
          }),
        );
        await response.arrayBuffer();
        if (defects.length > 0) throw defects[0];
        if (response.status >= 500) throw new Error(`status ${response.status}`);
      },
    };
  },
};
