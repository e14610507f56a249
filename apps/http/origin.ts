/**
 * Who may ask from where: a page that somebody looks at must not drive a server on the same machine, neither by asking it
 * outright nor under a name of its own that it has pointed there (DNS rebinding).
 *
 * @module
 */
import { Problem } from "./problem.ts";

/** Names that a handler answers to, and pages that may ask. */
export interface OriginSettings {
  /**
   * Names besides addresses and localhost by which a server without a token is reached; `*` for any. Default: none.
   */
  readonly hosts?: readonly string[];
  /** Origins of pages that may ask from a browser, as `https://example.org`; `*` for any. Default: only its own. */
  readonly origins?: readonly string[];
}

/** Headers of answers that pages may see. */
const EXPOSED = "content-disposition, retry-after, www-authenticate, x-request-id";
/** Seconds for which a browser may remember what it was told. */
const MAX_AGE = "600";

/**
 * Refuses what came under another's name, or from another's page.
 *
 * @throws {Problem} `forbidden`.
 */
export function checkOrigin(request: Request, settings: OriginSettings): void {
  const { hosts = [] } = settings;
  const url = new URL(request.url);
  const host = request.headers.get("host") ?? url.host;
  for (const name of [nameOf(host), url.hostname]) {
    if (name !== undefined && (isLocal(name) || hosts.includes(name) || hosts.includes("*"))) {
      continue;
    }
    throw new Problem(
      "forbidden",
      `Wanted localhost, an address, or a name that this server knows as Host, found ${
        JSON.stringify(host)
      }. Set PLIMSOLL_HOSTS to its names, or PLIMSOLL_TOKEN.`,
    );
  }
  const origin = request.headers.get("origin");
  if (origin === null || isAllowed(origin, settings) || hostOf(origin) === host.toLowerCase()) {
    return;
  }
  throw new Problem(
    "forbidden",
    `Wanted a request of no page but this server's own, found one of ${
      JSON.stringify(origin)
    }. Set PLIMSOLL_ORIGINS to the origins that may ask.`,
  );
}

/** Headers that let a page see an answer; none where it mayn't. */
export function corsHeaders(
  { headers }: Request,
  settings: OriginSettings,
): Readonly<Record<string, string>> {
  if (settings.origins === undefined || settings.origins.length === 0) return {};
  const origin = headers.get("origin");
  if (origin === null || !isAllowed(origin, settings)) return { vary: "origin" };
  return {
    "access-control-allow-origin": origin,
    "access-control-expose-headers": EXPOSED,
    vary: "origin",
  };
}

/**
 * What a browser asks before it sends a page's request; undefined for all other requests.
 *
 * @throws {Problem} `forbidden` for pages that may not ask.
 */
export function preflight(request: Request, settings: OriginSettings): Response | undefined {
  const { method, headers } = request;
  const origin = headers.get("origin");
  if (method !== "OPTIONS" || origin === null) return undefined;
  if (!headers.has("access-control-request-method")) return undefined;
  if (!isAllowed(origin, settings)) {
    throw new Problem(
      "forbidden",
      `Pages of ${JSON.stringify(origin)} may not ask. Set PLIMSOLL_ORIGINS to those that may.`,
    );
  }
  return new Response(null, {
    status: 204,
    headers: {
      "access-control-allow-methods": "GET, HEAD, POST",
      "access-control-allow-headers": "accept, authorization, content-type, x-request-id",
      "access-control-max-age": MAX_AGE,
      ...(headers.has("access-control-request-private-network")
        ? { "access-control-allow-private-network": "true" }
        : {}),
    },
  });
}

function isAllowed(origin: string, { origins = [] }: OriginSettings): boolean {
  return origins.includes("*") || origins.includes(origin);
}

/** Names that no stranger can point elsewhere: localhost, and addresses themselves. */
function isLocal(name: string): boolean {
  return /^(.+\.)?localhost$/.test(name) || /^\d+\.\d+\.\d+\.\d+$/.test(name) ||
    /^\[[\da-f:.]+\]$/.test(name);
}

/** The name of a host without its port, as URLs write it; undefined for what is none. */
function nameOf(host: string): string | undefined {
  try {
    return new URL(`http://${host}/`).hostname;
  } catch {
    return undefined;
  }
}

function hostOf(origin: string): string | undefined {
  try {
    return new URL(origin).host;
  } catch {
    return undefined;
  }
}
