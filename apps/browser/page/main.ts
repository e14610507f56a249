/**
 * The page: pick a model and images, watch, save. All work is done in a worker; ending it cancels.
 *
 * @module
 */
/// <reference lib="dom" />
import { h } from "../../../pipeline/report/page/client/dom.ts";
import type { FromWorker, Job, PickedFile } from "../messages.ts";
import { droppedFiles, filesOf, type Picked, recognise } from "./picked.ts";
import { ProgressView } from "./progress_view.ts";
import { resultsView } from "./results_view.ts";
import { SettingsForm } from "./settings.ts";

/** Files of the demo, where they are served beside the page. */
const DEMO = ["model.onnx", "calibration-images-idx3-ubyte.gz", "preprocess.json"];

/** Headings of the work, and of what it made. */
const TITLES = {
  quantize: { running: "Calibrating", done: "Quantized" },
  profile: { running: "Measuring times", done: "Times of this browser" },
} as const;

class Page {
  readonly #settings = new SettingsForm();
  readonly #picked = h("dl", { class: "facts", "aria-live": "polite" });
  readonly #start = h("button", {
    type: "button",
    id: "start",
    class: "main",
    disabled: true,
    click: () => this.#run("quantize"),
  }, "Quantize") as HTMLButtonElement;
  readonly #profile = h("button", {
    type: "button",
    id: "profile",
    disabled: true,
    title: "What each layer takes in this browser with floats and with codes, by a few of the " +
      "samples: costs.json, for quantize --plan",
    click: () => this.#run("profile"),
  }, "Measure times") as HTMLButtonElement;
  readonly #cancel = h("button", {
    type: "button",
    id: "cancel",
    hidden: true,
    click: () => this.#stop("Cancelled: nothing was kept."),
  }, "Cancel");
  readonly #output = h("section", { id: "output", "aria-label": "Progress and results" });
  readonly #drop = this.#dropZone();
  #files: Picked = { beside: [] };
  #worker: Worker | undefined;
  #release = () => {};

  show(root: Element): void {
    root.replaceChildren(
      h(
        "header",
        {},
        h("h1", {}, "Plimsoll"),
        h(
          "p",
          { class: "note" },
          "Quantizes a float ONNX model here, in this page: nothing leaves the machine.",
        ),
      ),
      h(
        "div",
        { class: "layout" },
        h(
          "div",
          {},
          this.#drop,
          this.#picked,
          this.#settings.element,
          h("p", { class: "actions" }, this.#start, this.#profile, this.#cancel),
        ),
        this.#output,
      ),
    );
    this.#showPicked();
  }

  #dropZone(): HTMLElement {
    const input = (
      id: string,
      label: string,
      properties: Readonly<Record<string, string | boolean>>,
    ) => {
      const element = h("input", {
        id,
        type: "file",
        ...properties,
        change: () => this.#add(filesOf(element)),
      }) as HTMLInputElement;
      return h("div", { class: "field" }, h("label", { for: id }, label), element);
    };
    const zone = h(
      "section",
      { class: "drop", "aria-label": "Files" },
      h("p", {}, "Drop a model and a folder, an archive or images here"),
      input("model", "Model (.onnx, with its weights)", {
        multiple: true,
        accept: ".onnx,.data,.bin",
      }),
      input("folder", "Folder of images", { webkitdirectory: true }),
      input("archive", "Or tar, zip, npy, IDX, NDJSON, images", { multiple: true }),
      h("button", { type: "button", id: "demo", click: () => this.#loadDemo() }, "Take the demo's"),
    );
    zone.addEventListener("dragover", (event) => {
      event.preventDefault();
      zone.classList.add("is-over");
    });
    zone.addEventListener("dragleave", () => zone.classList.remove("is-over"));
    zone.addEventListener("drop", async (event) => {
      event.preventDefault();
      zone.classList.remove("is-over");
      this.#add(await droppedFiles((event as DragEvent).dataTransfer!));
    });
    return zone;
  }

  async #add(files: readonly PickedFile[]): Promise<void> {
    const { model, beside, samples, preprocess } = recognise(files);
    if (preprocess !== undefined) this.#settings.setPreprocessing(await preprocess.text());
    this.#files = {
      model: model ?? this.#files.model,
      beside: model === undefined ? [...this.#files.beside, ...beside] : beside,
      samples: samples ?? this.#files.samples,
    };
    this.#showPicked();
  }

  #showPicked(): void {
    const { model, beside, samples } = this.#files;
    const entry = (term: string, text: string) =>
      h("div", {}, h("dt", {}, term), h("dd", {}, text));
    const weights = beside.length === 0
      ? ""
      : `, with ${beside.map(({ path }) => path).join(", ")}`;
    const inside = samples?.isFolder ? `, ${samples.files.length} files` : "";
    this.#picked.replaceChildren(
      entry("model", model === undefined ? "none yet" : model.name + weights),
      entry("calibration samples", samples === undefined ? "none yet" : samples.name + inside),
    );
    const isIdle = model !== undefined && samples !== undefined && this.#worker === undefined;
    this.#start.disabled = this.#profile.disabled = !isIdle;
  }

  async #loadDemo(): Promise<void> {
    try {
      const files = await Promise.all(DEMO.map(async (path) => {
        const response = await fetch(`demo/${path}`);
        if (!response.ok) throw new Error(`demo/${path}: ${response.status}`);
        return { path, file: new File([await response.blob()], path) };
      }));
      await this.#add(files);
    } catch (error) {
      this.#fail(
        `Cannot load the demo, which should lie beside this page: ${(error as Error).message}`,
      );
    }
  }

  #run(task: Job["task"]): void {
    const { model, samples, beside } = this.#files;
    let job: Job;
    try {
      job = { task, model: model!, samples: samples!, beside, ...this.#settings.read() };
    } catch (error) {
      return this.#fail((error as Error).message);
    }
    this.#release();
    this.#release = () => {};
    const view = new ProgressView();
    this.#output.replaceChildren(h("h2", {}, TITLES[task].running), view.element);
    const worker = new Worker("worker.js", { type: "module" });
    this.#worker = worker;
    this.#setBusy(true);
    // On a phone it is below the form.
    this.#output.scrollIntoView({ block: "nearest" });
    worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
      switch (data.type) {
        case "progress":
          return view.progress(data.progress);
        case "note":
          return view.note(data.text);
        case "thresholds":
          return view.thresholds(data.thresholds);
        case "failed":
          return this.#stop(data.message, "alert");
        case "done": {
          this.#end();
          const { element, release } = resultsView(data.result);
          this.#release = release;
          this.#output.replaceChildren(h("h2", {}, TITLES[task].done), element);
          return;
        }
        default:
          return data satisfies never;
      }
    };
    worker.onerror = ({ message }) =>
      this.#stop(`The worker failed: ${message || "it could not be started"}`, "alert");
    worker.postMessage(job);
  }

  #end(): void {
    this.#worker?.terminate();
    this.#worker = undefined;
    this.#setBusy(false);
  }

  #stop(message: string, role = "status"): void {
    this.#end();
    this.#output.replaceChildren(
      h("p", { role, class: role === "alert" ? "error" : "note" }, message),
    );
  }

  #fail(message: string): void {
    this.#output.replaceChildren(h("p", { role: "alert", class: "error" }, message));
  }

  #setBusy(isBusy: boolean): void {
    this.#cancel.hidden = !isBusy;
    this.#showPicked();
  }
}

new Page().show(document.querySelector("main")!);
