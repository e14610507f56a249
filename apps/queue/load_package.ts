/**
 * Packages that only those need who work with queues or buckets: loaded when they are wanted, and never before.
 *
 * @module
 */
import { PlimsollError } from "../../core/errors.ts";

/** What is installed with npm where it is missing; a test compares the versions with those of import_map.json. */
export const PACKAGES = {
  bullmq: { version: "6.7.0", purpose: "the queue" },
  ioredis: { version: "6.0.0", purpose: "redis:// addresses" },
  pg: { version: "8.23.1", purpose: "postgres:// addresses" },
  aws4fetch: { version: "1.0.20", purpose: "s3:// addresses" },
} as const;

/**
 * Loads one of them.
 *
 * @throws {PlimsollError} kind `usage` where it isn't installed, with what to install.
 */
export async function loadPackage<T>(name: keyof typeof PACKAGES): Promise<T> {
  const { version, purpose } = PACKAGES[name];
  try {
    // Not a literal: it is installed or not, and no compiler needs to find it.
    const module = await import(name as string);
    // Modules of CommonJS have their exports in `default`, and most of them beside it, too.
    return (module.default !== null && typeof module.default === "object"
      ? { ...module.default, ...module }
      : module) as T;
  } catch (cause) {
    throw new PlimsollError("usage", {
      action: `loading ${name}, for ${purpose}`,
      wanted: "it installed beside plimsoll",
      found: (cause as Error).message,
      remedy: `Run: npm install ${name}@${version}`,
      cause,
    });
  }
}
