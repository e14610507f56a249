/**
 * `s3://bucket/key`: requests to any server that speaks S3, signed with credentials of the environment. They go nowhere
 * else: not into jobs, results or messages.
 *
 * @module
 */
import type { AwsClient } from "aws4fetch";
import { PlimsollError } from "../../core/errors.ts";
import type { Host } from "../../core/host.ts";
import { loadPackage } from "./load_package.ts";

/** As much of a host as signing takes. */
type Signing = Pick<Host, "fetch" | "environment">;

/** Whether an address is one of a bucket. */
export function isS3(place: string): boolean {
  return /^s3:\/\//i.test(place);
}

/** A host whose fetch knows `s3://`. Nothing is loaded before the first of them. */
export function withS3<T extends Signing>(host: T): T {
  let client: Promise<AwsClient> | undefined;
  return {
    ...host,
    fetch: async (url: string, init?: RequestInit) => {
      if (!isS3(url)) return await host.fetch(url, init);
      const signer = await (client ??= makeClient(host));
      const address = addressOf(host, url);
      const { signal, ...rest } = init ?? {};
      const signed = await signer.sign(address, rest);
      const headers = Object.fromEntries(signed.headers);
      return await host.fetch(address, { ...rest, headers, ...(signal ? { signal } : {}) });
    },
  };
}

async function makeClient(host: Signing): Promise<AwsClient> {
  const get = (name: string) => host.environment?.(name);
  const [accessKeyId, secretAccessKey] = [get("AWS_ACCESS_KEY_ID"), get("AWS_SECRET_ACCESS_KEY")];
  if (!accessKeyId || !secretAccessKey) {
    throw new PlimsollError("usage", {
      action: "signing a request to s3://…",
      wanted: "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment",
      found: accessKeyId ? "no AWS_SECRET_ACCESS_KEY" : "no AWS_ACCESS_KEY_ID",
      remedy:
        "Set them, and AWS_ENDPOINT_URL for another server than Amazon's; AWS_REGION and AWS_SESSION_TOKEN are heard, too",
    });
  }
  const { AwsClient } = await loadPackage<typeof import("aws4fetch")>("aws4fetch");
  return new AwsClient({
    accessKeyId,
    secretAccessKey,
    sessionToken: get("AWS_SESSION_TOKEN"),
    service: "s3",
    region: regionOf(host),
  });
}

function regionOf(host: Signing): string {
  return host.environment?.("AWS_REGION") || host.environment?.("AWS_DEFAULT_REGION") ||
    "us-east-1";
}

/** The address behind `s3://bucket/key?query`. */
function addressOf(host: Signing, url: string): string {
  const [, bucket, rest = ""] = /^s3:\/\/([^/?]+)\/?([^]*)$/i.exec(url) ?? [];
  if (bucket === undefined) {
    throw new PlimsollError("usage", {
      action: `reading ${JSON.stringify(url)}`,
      wanted: "s3://bucket/key",
      found: "no bucket",
      remedy: "Name the bucket, and the key behind it",
    });
  }
  const endpoint = host.environment?.("AWS_ENDPOINT_URL_S3") ||
    host.environment?.("AWS_ENDPOINT_URL");
  const [path, query] = rest.split(/\?(.*)/s);
  const key = path.split("/").map(encodeURIComponent).join("/");
  const place = endpoint
    ? `${endpoint.replace(/\/+$/, "")}/${bucket}/${key}`
    : `https://${bucket}.s3.${regionOf(host)}.amazonaws.com/${key}`;
  return query === undefined ? place : `${place}?${query}`;
}
