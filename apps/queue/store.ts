/**
 * Where orders and results of shards lie: a folder that all machines share, or a bucket. What is there is whole.
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";
import { sha256 } from "../../core/hash.ts";
import type { Host } from "../../core/host.ts";
import { option } from "../../core/option_words.ts";
import { isS3 } from "./s3.ts";

/** As much of a host as a store takes. */
type StoreHost = Pick<
  Host,
  "readFile" | "fileExists" | "listFiles" | "writeFiles" | "removeFiles" | "fetch"
>;

/** Bytes by key; keys have `/` between their parts. */
export interface Store {
  /** How messages call it. */
  readonly place: string;
  /** Bytes of a key; undefined where there are none. */
  read(key: string): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** Writes all or nothing. Throws {@linkcode PlimsollError} kind `output`. */
  write(key: string, bytes: Uint8Array): Promise<void>;
  /** Keys below a prefix that ends with `/`. */
  list(prefix: string): Promise<string[]>;
  /** Removes keys; those that aren't there don't matter. */
  remove(keys: readonly string[]): Promise<void>;
  /** Throws {@linkcode PlimsollError} where nothing can be written. */
  check(): Promise<void>;
}

/** Opens a place: `s3://bucket/prefix`, or a folder. Its host signs requests; see `withS3`. */
export function openStore(host: StoreHost, place: string): Store {
  const root = place.replace(/\/+$/, "") || "/";
  return isS3(place) ? new BucketStore(host, root) : new FolderStore(host, root);
}

/** Writes bytes under their own SHA-256 below a prefix, and gives it. */
export async function writeHashed(
  store: Store,
  prefix: string,
  bytes: Uint8Array,
): Promise<string> {
  const hash = await sha256(bytes);
  await store.write(hashedKey(prefix, hash), bytes);
  return hash;
}

/**
 * Reads bytes by their SHA-256.
 *
 * @throws {PlimsollError} kind `input` where they are missing or others.
 */
export async function readHashed(
  store: Store,
  prefix: string,
  hash: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const key = hashedKey(prefix, hash);
  const bytes = await store.read(key);
  const found = bytes === undefined ? "nothing" : await sha256(bytes);
  if (bytes !== undefined && found === hash) return bytes;
  throw new PlimsollError("input", {
    action: `reading ${JSON.stringify(key)} from ${store.place}`,
    wanted: `the bytes of SHA-256 ${hash}`,
    found,
    remedy: `Give all machines the same ${
      option("results")
    }: a folder that they share, or a bucket`,
  });
}

/** Folders of at most some hundred files. */
function hashedKey(prefix: string, hash: string): string {
  return `${prefix}/${hash.slice(0, 2)}/${hash}`;
}

class FolderStore implements Store {
  readonly place: string;
  readonly #host: StoreHost;

  constructor(host: StoreHost, place: string) {
    this.#host = host;
    this.place = place;
  }

  async read(key: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const path = this.#path(key);
    if (!await this.#host.fileExists(path)) return undefined;
    return await this.#host.readFile(path);
  }

  async write(key: string, bytes: Uint8Array): Promise<void> {
    try {
      await this.#host.writeFiles(new Map([[this.#path(key), bytes]]));
    } catch (error) {
      throw asResult(error);
    }
  }

  async list(prefix: string): Promise<string[]> {
    const files = await this.#host.listFiles(this.#path(prefix)) ?? [];
    return files.map(({ path }) => prefix + path);
  }

  async remove(keys: readonly string[]): Promise<void> {
    await this.#host.removeFiles?.(this.place, keys);
  }

  /** The folder stays: others that start at the same moment are about to use it. */
  async check(): Promise<void> {
    await this.write("check", new Uint8Array());
    await this.remove(["check"]);
  }

  #path(key: string): string {
    return `${this.place}/${key}`;
  }
}

/** The same failure, with the option that helps here. */
function asResult(error: unknown): unknown {
  if (!(error instanceof PlimsollError) || error.kind !== "output") return error;
  return new PlimsollError("output", {
    ...error.parts,
    remedy: `Make room, or allow writing, and go on with ${option("resume")}; or choose other ${
      option("results")
    }`,
  });
}

/** Keys that a server lists or removes in one request. */
const PAGE = 1000;
/** Times that a request is made whose answer says to come again. */
const ATTEMPTS = 5;

class BucketStore implements Store {
  readonly place: string;
  readonly #host: StoreHost;

  constructor(host: StoreHost, place: string) {
    this.#host = host;
    this.place = place;
  }

  async read(key: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const response = await this.#request("input", this.#url(key), { method: "GET" }, [404]);
    if (response.status === 404) {
      await response.body?.cancel();
      return undefined;
    }
    return new Uint8Array(await response.arrayBuffer());
  }

  async write(key: string, bytes: Uint8Array): Promise<void> {
    const response = await this.#request("output", this.#url(key), {
      method: "PUT",
      body: bytes as BodyInit,
      headers: { "x-amz-content-sha256": await sha256(bytes) },
    });
    await response.body?.cancel();
  }

  async list(prefix: string): Promise<string[]> {
    const [, bucket, above = ""] = /^s3:\/\/([^/]+)\/?(.*)$/i.exec(this.place)!;
    const root = above === "" ? "" : `${above}/`;
    const keys: string[] = [];
    for (let token: string | undefined = "";;) {
      const query = new URLSearchParams({
        "list-type": "2",
        "max-keys": String(PAGE),
        prefix: root + prefix,
        ...(token ? { "continuation-token": token } : {}),
      });
      const response = await this.#request("input", `s3://${bucket}/?${query}`, { method: "GET" });
      const text = await response.text();
      for (const [, key] of text.matchAll(/<Key>([^<]*)<\/Key>/g)) {
        keys.push(unescaped(key).slice(root.length));
      }
      token = /<NextContinuationToken>([^<]*)</.exec(text)?.[1];
      if (!token) return keys;
      token = unescaped(token);
    }
  }

  async remove(keys: readonly string[]): Promise<void> {
    for (const key of keys) {
      const response = await this.#request("output", this.#url(key), { method: "DELETE" }, [404]);
      await response.body?.cancel();
    }
  }

  async check(): Promise<void> {
    await this.write("check", new Uint8Array());
    await this.remove(["check"]);
  }

  #url(key: string): string {
    return `${this.place}/${key}`;
  }

  /** Asks again while that may help. */
  async #request(
    kind: "input" | "output",
    url: string,
    init: RequestInit,
    fine: readonly number[] = [],
  ): Promise<Response> {
    for (let attempt = 1;; attempt++) {
      const isLast = attempt === ATTEMPTS;
      try {
        const response = await this.#host.fetch(url, init);
        if (response.ok || fine.includes(response.status)) return response;
        const text = await response.text();
        if (isLast || !isTemporary(response.status)) {
          throw refused(kind, url, response, text);
        }
      } catch (error) {
        // Whoever refuses to sign or to connect does so again.
        const isLate = error instanceof PlimsollError && /^fetching /.test(error.parts.action);
        if (isLast || !isLate) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, 200 * 2 ** attempt));
    }
  }
}

/** Whether a server may say something else in a moment; a full one (507) doesn't. */
function isTemporary(status: number): boolean {
  return status === 429 || status >= 500 && status !== 507;
}

function refused(
  kind: "input" | "output",
  url: string,
  { status, statusText }: Response,
  text: string,
): PlimsollError {
  const code = /<Code>([^<]*)</.exec(text)?.[1];
  const message = /<Message>([^<]*)</.exec(text)?.[1];
  return new PlimsollError(kind, {
    action: `${kind === "output" ? "writing" : "reading"} ${JSON.stringify(url)}`,
    wanted: "a bucket that takes it",
    found: [`status ${status} ${statusText}`.trim(), code, message].filter(Boolean).join(", "),
    remedy: kind === "output"
      ? `Check the bucket, its room and the credentials, and go on with ${option("resume")}`
      : "Check the address and the credentials",
  });
}

function unescaped(text: string): string {
  return text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&quot;", '"')
    .replaceAll("&amp;", "&");
}
