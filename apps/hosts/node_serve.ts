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

/** See `Host.serve`. */
export async function serveNode(options: ServeOptions): Promise<void> {
  const { fetch, port, hostname, signal, onListen } = options;
  const server = createServer(toNodeHandler(fetch) as RequestListener);
  const stop = () => {
    server.close();
    server.closeAllConnections();
  };
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.once("close", resolve);
      signal.addEventListener("abort", stop, { once: true });
      server.listen(port, hostname, () => {
        onListen(`http://${hostname}:${(server.address() as AddressInfo).port}/`);
      });
    });
  } catch (cause) {
    throwCannotListen(options, cause);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
