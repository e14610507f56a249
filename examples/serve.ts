/** Plimsoll behind HTTP, with a limit of one's own: `deno serve examples/serve.ts`, or any host of fetch handlers. */
import { createHandler } from "plimsoll/http";

export default createHandler({ token: "secret", limits: { maxBodyBytes: 100_000_000 } });
