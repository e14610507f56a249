/**
 * A calibration worker's side of the conversation in `workers/messages.ts`.
 *
 * @module
 */
import { readModelWithData } from "../../onnx/file/external_data.ts";
import { calibrateHere } from "./calibrate_here.ts";
import { MAX_DEFAULT_BATCH } from "../inference/infer.ts";
import type { Sample } from "../../core/tensor.ts";
import type { FromWorker, ToWorker, WorkerJob } from "../workers/messages.ts";
import { sendError } from "../workers/sent_errors.ts";

/**
 * Calibrates with the samples that come as messages.
 *
 * @param post Sends a message to the pool.
 * @returns Takes a message from the pool.
 */
export function serveCalibration(post: (message: FromWorker) => void): (message: ToWorker) => void {
  let controller: ReadableStreamDefaultController<Sample>;
  let asked = 0;
  let isEnded = false;
  let isSnapshotWanted = false;
  const run = async ({ model: bytes, weights, ...job }: WorkerJob) => {
    const samples = new ReadableStream<Sample>({
      start: (own) => void (controller = own),
      // As many questions as there is room: whoever answers may be at work, and takes them all together.
      pull: () => {
        for (; asked < controller.desiredSize!; asked++) post({ kind: "pull" });
      },
      // The next batch comes in while this one is at work.
    }, { highWaterMark: job.batch ?? MAX_DEFAULT_BATCH });
    const { model } = await readModelWithData(
      bytes,
      "the model",
      (location, offset, length) =>
        Promise.resolve(weights.get(location)!.subarray(offset, offset + length)),
    );
    let done = 0;
    const statistics = await calibrateHere(samples, {
      ...job,
      model,
      onSkip: (error) => post({ kind: "skipped", error: sendError(error) }),
    }, {
      afterBatch: async (count, soFar) => {
        if (isSnapshotWanted) {
          isSnapshotWanted = false;
          post({ kind: "statistics", statistics: await soFar(), isLast: false });
        }
        post({ kind: "done", samples: count - done });
        done = count;
      },
    });
    post({ kind: "statistics", statistics, isLast: true });
  };
  return (message) => {
    switch (message.kind) {
      case "start":
        return void run(message.job).catch((error) =>
          post({ kind: "failed", error: sendError(error) })
        );
      case "sample":
        asked--;
        return controller.enqueue(message.sample);
      case "end":
        // Each question is answered so.
        if (!isEnded) controller.close();
        isEnded = true;
        return;
      case "snapshot":
        isSnapshotWanted = true;
        return;
      default:
        message satisfies never;
    }
  };
}
