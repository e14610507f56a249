/**
 * Images in a folder and in those below.
 *
 * @module
 */
import { sha256 } from "../../core/hash.ts";
import type { FileEntry, Reader } from "../../core/host.ts";
import { folderClasses, isSampleName, type Member, memberSamples } from "./member_samples.ts";
import type { MemberOptions } from "./member_samples.ts";
import type { Records } from "./sample_source.ts";

/**
 * Opens a folder: its images in the order of their paths. Holds the names and one image.
 *
 * @param files What is in the folder, recursively.
 */
export function readFolder(
  reader: Reader,
  folder: string,
  files: readonly FileEntry[],
  options: Omit<MemberOptions, "folderClass">,
): Records {
  const sorted = files.toSorted((a, b) => a.path < b.path ? -1 : a.path > b.path ? 1 : 0);
  const paths = sorted.map(({ path }) => path).filter((path) =>
    isSampleName(path, options.inputShape)
  );
  const { classes, folderClass } = folderClasses(paths, options.labels.classes);
  const { file, pattern } = options.labels;
  const hasSidecars = sorted.some(({ path }) => /\.cls$/i.test(path));
  return {
    total: paths.length,
    isLabelled: [file, pattern, folderClass].some((way) => way !== undefined) || hasSidecars,
    classes,
    samples: memberSamples(members(), {
      ...options,
      folderClass,
      labels: { ...options.labels, classes },
    }),
  };

  async function* members(): AsyncGenerator<Member> {
    for (const { path, byteLength } of sorted) {
      yield {
        path,
        byteLength,
        read: () => reader.readFile(`${folder.replace(/\/$/, "")}/${path}`),
      };
    }
  }
}

/** Names the content of a folder: SHA-256 over sorted paths and sizes. */
export async function folderIdentity(files: readonly FileEntry[]): Promise<string> {
  const lines = files.map(({ path, byteLength }) => `${path}\0${byteLength}`).sort();
  return await sha256(`folder\n${lines.join("\n")}`);
}
