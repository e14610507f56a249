/**
 * HTTP under Node: its server, with requests and responses of the Web in place of its own.
 *
 * @module
 */
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { toNodeHandler } from "srvx/node";
import type { ServeOptions } from "../../core/host.ts";
import { throwCannotListen } from "./failures.ts";
import { soon } from "./soon.ts";

/** See `Host.serve`. */
export async function serveNode(options: ServeOptions): Promise<void> {
  const { fetch, port, hostname, signal, settle, onListen } = options;
  // How long a body may take is a matter of the handler: Node would cut every one off after 5 minutes.
  const server = createServer({ requestTimeout: 0 }, toNodeHandler(fetch) as RequestListener);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      signal.addEventListener("abort", () => resolve(), { once: true });
      server.listen(port, hostname, () => {
        onListen(`http://${hostname}:${(server.address() as AddressInfo).port}/`);
      });
    });
  } catch (cause) {
    throwCannotListen(options, cause);
  }
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  await settle();
  await soon(closed);
  server.closeAllConnections();
}
