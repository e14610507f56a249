/**
 * What a thread of `worker` opens: models and samples, as the commands that submit runs do.
 *
 * @module
 */
import type { Host } from "../../core/host.ts";
import type { Format } from "../../pipeline/source/format.ts";
import { withS3 } from "../queue/s3.ts";
import { type OrderOpener, serveShards } from "../queue/serve_shards.ts";
import type { FromShardThread, ToShardThread } from "../queue/shard_messages.ts";
import { dataPath, loadModel, samplesAt, takenBy } from "./inputs.ts";

/** Gathers shards with what a host can open; takes and posts messages. */
export function shardThread(
  given: Host,
  post: (message: FromShardThread) => void,
): (message: ToShardThread) => void {
  const host = withS3(given);
  const opener: OrderOpener = {
    model: ({ model: { place, requantize } }) => loadModel(host, place, { requantize }),
    samples: ({ model, data }, float, limit, note) => {
      // What is broken or odd is told to whoever submitted the run.
      const noting: Host = { ...host, printError: (text) => note(text.trimEnd()) };
      const path = dataPath(host, { data: data.place, model: model.place, role: "calibration" });
      const { preprocessing, dataFormat, inputShape, onBroken, maxPixels, tokenizer } = data;
      return samplesAt(noting, path, {
        ...takenBy(noting, float.original, { path: model.place, tokenizer }),
        inputShape,
        onBroken,
        maxPixels,
        tokenizer,
        dataFormat: dataFormat as Format | undefined,
        recipePreprocessing: preprocessing,
        samples: limit,
      }, {});
    },
  };
  return serveShards(opener, post);
}
