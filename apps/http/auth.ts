/**
 * A bearer token.
 *
 * @module
 */
import { Problem } from "./problem.ts";

/**
 * Lets a request pass that carries the token.
 *
 * @throws {Problem} `unauthorized`.
 */
export async function checkToken({ headers }: Request, token: string | undefined): Promise<void> {
  if (token === undefined) return;
  const [scheme, given] = (headers.get("authorization") ?? "").split(/ +/, 2);
  const isRight = scheme.toLowerCase() === "bearer" && given !== undefined &&
    equal(await digest(given), await digest(token));
  if (isRight) return;
  throw new Problem(
    "unauthorized",
    "Wanted a header authorization: Bearer with the token of this server.",
    { "www-authenticate": 'Bearer realm="plimsoll"' },
  );
}

async function digest(text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
}

/** Takes the same time wherever the difference is; hashes have one length. */
function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.reduce((difference, byte, i) => difference | byte ^ b[i], 0) === 0;
}
