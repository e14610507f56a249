/** Containers of samples, images, labels. */
import { gzipSync } from "node:zlib";
import { openSamples, type OpenSamplesOptions } from "../../../pipeline/source/open_samples.ts";
import { parseLabels } from "../../../pipeline/source/labels.ts";
import { prepareSource } from "../../../pipeline/source/prepared_samples.ts";
import { parsePreprocessing } from "../../../tpc/recipe/preprocessing.ts";
import { type Chance, ODD_NUMBERS, ODD_TEXTS } from "../chance.ts";
import { maybeGzip, type Member, mendPng, npyOf, tarOf, zipOf } from "../containers.ts";
import type { Kind, Kinds } from "../kind.ts";
import { jsonBytes, mutateBytes, mutateJson } from "../mutate.ts";
import { memoryHost } from "../../support/streams.ts";

const FIXTURES = new URL("../../pipeline/source/fixtures/", import.meta.url);
const IMAGES = new URL("../../wasm/image/images/", import.meta.url);

function filesOf(folder: URL, ending: string): Uint8Array[] {
  return [...Deno.readDirSync(folder)].filter(({ name }) => name.endsWith(ending))
    .map(({ name }) => name).sort()
    .map((name) => Deno.readFileSync(new URL(name, folder)));
}

const preprocessing = parsePreprocessing(
  { resize: { shortest: 8 }, crop: { width: 8, height: 8 } },
  "p",
);

/** Opens, reads and prepares samples; once with broken ones left out. */
function reader(name: string, options: OpenSamplesOptions = {}): Kind["run"] {
  return async (bytes) => {
    const onBroken = bytes.length % 2 === 0 ? () => {} : undefined;
    const source = await openSamples(memoryHost({ [name]: bytes }), name, { ...options, onBroken });
    const { samples } = prepareSource(source, { preprocessing, onBroken });
    let left = 1000;
    for await (const _ of samples) if (--left === 0) break;
  };
}

const bytesKind = (ending: string, seeds: readonly Uint8Array[], run: Kind["run"]): Kind => ({
  ending,
  make: (chance) => mutateBytes(chance, chance.pick(seeds)),
  run,
});

const npy = (chance: Chance): Uint8Array => {
  const kinds = [
    "<f4",
    "<f8",
    "<f2",
    "|u1",
    "|i1",
    "<i2",
    "<i4",
    "<i8",
    ">f4",
    "<u4",
    "|b1",
    "|S4",
    "<U3",
    "|O",
  ];
  const dims = Array.from(
    { length: chance.below(5) },
    () => chance.happens(0.2) ? chance.pick(ODD_NUMBERS) : 1 + chance.below(4),
  );
  const header = `{'descr': '${chance.pick(kinds)}', 'fortran_order': ${
    chance.happens(0.2) ? "True" : "False"
  }, 'shape': (${dims.join(", ")}${dims.length === 1 ? "," : ""}), }`;
  const text = chance.happens(0.2)
    ? new TextDecoder("latin1").decode(mutateBytes(chance, new TextEncoder().encode(header)))
    : header;
  const data = Uint8Array.from({ length: chance.below(300) }, () => chance.below(256));
  return npyOf(text, data, chance.pick([1, 1, 1, 2, 3, 9]));
};

/** A member of an archive: an image, numbers, a label. */
function members(chance: Chance, pictures: readonly Uint8Array[], ending: string): Member[] {
  return Array.from({ length: 1 + chance.below(4) }, (_, i) => {
    const stem = chance.happens(0.15)
      ? chance.pick(ODD_TEXTS)
      : chance.pick([`a/${i}`, `${i}`, `b/${i}`, "same"]);
    const kind = chance.happens(0.2) ? chance.pick(["cls", "txt", "npy", "json", "bin"]) : ending;
    const bytes = kind === "npy"
      ? npy(chance)
      : kind === ending
      ? chance.pick(pictures)
      : new TextEncoder().encode(chance.pick(["1", "x", "", "-5", ...ODD_TEXTS]));
    return {
      name: `${stem}.${kind}`,
      bytes: chance.happens(0.3) ? mutateBytes(chance, bytes) : bytes,
    };
  });
}

function imageKind(ending: string, mend = (bytes: Uint8Array) => bytes): Kind {
  const seeds = filesOf(IMAGES, `.${ending}`).filter(({ length }) => length < 20000);
  const run = reader(`f/a.${ending}`);
  return {
    ending,
    make: (chance) => {
      const bytes = mutateBytes(chance, chance.pick(seeds), chance.happens(0.5) ? 8 : 0);
      return chance.happens(0.7) ? mend(bytes) : bytes;
    },
    run: async (bytes) => {
      const host = memoryHost({ [`f/a.${ending}`]: bytes });
      const { samples } = prepareSource(await openSamples(host, "f"), { preprocessing });
      for await (const _ of samples) break;
      void run;
    },
  };
}

/** Kinds of samples. */
export const SAMPLES: Kinds = {
  npy: (): Kind => ({
    ending: "npy",
    make: (chance) =>
      maybeGzip(chance, chance.happens(0.3) ? mutateBytes(chance, npy(chance)) : npy(chance)),
    run: reader("a.npy"),
  }),
  npz: (): Kind => ({
    ending: "npz",
    make: (chance) => {
      const names = ["input", "x", "label", "labels", "y", "arr_0", ...ODD_TEXTS.slice(0, 6)];
      const list = Array.from({ length: 1 + chance.below(3) }, () => ({
        name: `${chance.pick(names)}.npy`,
        bytes: npy(chance),
      }));
      const zip = zipOf(chance, list, chance.happens(0.4) ? 0.1 : 0);
      return chance.happens(0.2) ? mutateBytes(chance, zip) : zip;
    },
    run: reader("a.npz"),
  }),
  zip: (): Kind => {
    const pictures = filesOf(IMAGES, "png_grey.png");
    return {
      ending: "zip",
      make: (chance) => {
        const zip = zipOf(chance, members(chance, pictures, "png"), chance.happens(0.4) ? 0.1 : 0);
        return chance.happens(0.2) ? mutateBytes(chance, zip) : zip;
      },
      run: async (bytes) => {
        await reader("a.zip")(bytes);
        await reader("-")(bytes);
      },
    };
  },
  tar: (): Kind => {
    const pictures = filesOf(IMAGES, "png_grey.png");
    return {
      ending: "tar",
      make: (chance) => {
        const tar = tarOf(chance, members(chance, pictures, "png"), chance.happens(0.4) ? 0.1 : 0);
        return maybeGzip(chance, chance.happens(0.2) ? mutateBytes(chance, tar) : tar);
      },
      run: reader("a.tar"),
    };
  },
  parquet: (): Kind => {
    const seeds = filesOf(FIXTURES, ".parquet");
    return {
      ending: "parquet",
      make: (chance) => {
        const seed = chance.pick(seeds);
        // The metadata are at the end, and say where all else is.
        const footer = new DataView(seed.buffer, seed.byteOffset).getUint32(seed.length - 8, true);
        const from = chance.happens(0.7) ? seed.length - 8 - footer : 0;
        return mutateBytes(chance, seed, from);
      },
      run: reader("a.parquet"),
    };
  },
  idx: (): Kind => {
    const seed = new Uint8Array(16 + 3 * 16);
    seed.set([0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 4]);
    return {
      ending: "idx",
      make: (chance) => maybeGzip(chance, mutateBytes(chance, seed)),
      run: reader("images-idx3-ubyte"),
    };
  },
  ndjson: (): Kind => ({
    ending: "ndjson",
    make: (chance) => {
      const lines = Array.from(
        { length: 1 + chance.below(4) },
        () =>
          new TextDecoder().decode(jsonBytes(mutateJson(
            chance,
            chance.pick<unknown>([
              { input: [[1, 2], [3, 4]], label: 1 },
              { x: [1, 2], y: { data: "AACAPw==", dims: [1], type: "float32" }, id: "a" },
              { input: { data: "AACAPwAAgD8=", dims: [2] }, label: 0 },
              { text: "the ship", pair: "low" },
              [1, 2, 3],
            ]),
          ))),
      );
      const bytes = new TextEncoder().encode(lines.join(chance.pick(["\n", "\r\n", "\n\n"])));
      return chance.happens(0.1) ? mutateBytes(chance, bytes) : bytes;
    },
    run: reader("a.ndjson"),
  }),
  text: (): Kind => ({
    ending: "txt",
    make: (chance) =>
      mutateBytes(chance, new TextEncoder().encode("the ship\tlow\nsails\r\n\nüber 💥\n")),
    run: reader("a.txt"),
  }),
  raw: (): Kind =>
    bytesKind(
      "f32",
      [new Uint8Array(64), new Uint8Array(gzipSync(new Uint8Array(64)))],
      async (bytes) => {
        await reader("a.bin", { format: "raw", inputShape: [2, 2] })(bytes);
        await reader("-", { format: "raw", inputShape: [2, 2] })(bytes);
      },
    ),
  sniffed: (): Kind => {
    const seeds = [...filesOf(FIXTURES, ""), ...filesOf(IMAGES, ".gif")];
    // Whatever it is, from standard input and under a wrong name.
    return bytesKind("any", seeds.filter(({ length }) => length < 30000), async (bytes) => {
      await reader(["-", "a", "a.npy", "a.tar", "a.zip", "a.parquet"][bytes.length % 6])(bytes);
    });
  },
  labels: (): Kind => ({
    ending: "csv",
    make: (chance) => {
      const texts = [
        "a.png,1\nb.png,2\n",
        "file,label\na,0\n",
        "1\n2\n3\n",
        '"a,b",3\n',
        "x\t1\n",
        "cat\ndog\n",
      ];
      return mutateBytes(
        chance,
        new TextEncoder().encode(chance.pick(texts) + chance.pick(ODD_TEXTS)),
      );
    },
    run: (bytes) => void parseLabels(new TextDecoder().decode(bytes), "labels.csv"),
  }),
  png: () => imageKind("png", mendPng),
  jpg: () => imageKind("jpg"),
  webp: () => imageKind("webp"),
  gif: () => imageKind("gif"),
  bmp: () => imageKind("bmp"),
};
