/** `deno serve` with clients that get in each other's way, leave, or send what never ends. */
import assert from "node:assert/strict";
import { endlessModel } from "../../support/endless.ts";
import { equalBytes } from "../../support/equal_bytes.ts";
import { bytesOf, problemOf } from "../../support/requests.ts";
import { serveDeno, type Server } from "../../support/servers.ts";
import { sendSmall, smallRequest } from "../../support/small_requests.ts";

const ENDLESS = {
  path: "v1/calibrate?data-format=raw&input-shape=4",
  model: endlessModel(),
  samples: new Uint8Array(16),
};

async function metric({ url }: Server, name: string): Promise<number> {
  const text = await (await fetch(`${url}metrics`)).text();
  const line = text.split("\n").find((line) => line.startsWith(`${name} `));
  return Number(line?.split(" ")[1]);
}

async function until(is: () => Promise<boolean>, seconds: number): Promise<void> {
  for (let i = 0; i < seconds * 10; i++) {
    if (await is()) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.fail(`not within ${seconds} s`);
}

Deno.test("1,000 requests of 8 clients at once all get what a client alone gets", async () => {
  await using server = await serveDeno({ PLIMSOLL_LOG: "none" });
  const requests = Array.from({ length: 24 }, (_, i) => smallRequest(i));
  const alone: Uint8Array[] = [];
  for (const request of requests) alone.push(await bytesOf(await sendSmall(server.url, request)));
  let count = 0;
  await Promise.all(Array.from({ length: 8 }, async (_, client) => {
    for (let i = 0; i < 125; i++) {
      const kind = (i * 7 + client * 3) % requests.length;
      const bytes = await bytesOf(await sendSmall(server.url, requests[kind]));
      assert.ok(equalBytes(bytes, alone[kind]), `request ${kind} of client ${client}`);
      count++;
    }
  }));
  assert.equal(count, 1000);
  // They share workers, which are replaced now and then.
  assert.ok(await metric(server, "plimsoll_workers_started_total") < 30);
});

Deno.test("a model that never ends is ended when time is up or its client leaves, and others are served", async () => {
  await using server = await serveDeno({ PLIMSOLL_MAX_SECONDS: "4", PLIMSOLL_MAX_ACTIVE: "2" });
  const honest = smallRequest(3);
  const alone = await bytesOf(await sendSmall(server.url, honest));
  const stays = sendSmall(server.url, ENDLESS);
  const leaves = sendSmall(server.url, ENDLESS, { signal: AbortSignal.timeout(1500) });
  await assert.rejects(leaves.then((response) => response.text()));
  assert.equal((await fetch(`${server.url}health`)).status, 200);
  const response = await stays;
  assert.equal(response.status, 503);
  assert.match((await problemOf(response)).type, /:too-long$/);
  // A place is free again, whatever the two threads did.
  await until(async () => {
    const answer = await sendSmall(server.url, honest);
    const bytes = new Uint8Array(await answer.arrayBuffer());
    return answer.ok && equalBytes(bytes, alone);
  }, 30);
  const text = await (await fetch(`${server.url}metrics`)).text();
  assert.match(text, /^plimsoll_workers\{state="stuck"\} 0$/m);
});

Deno.test("twenty clients that leave within half a second leave nothing behind", async () => {
  // Deno doesn't tell that a client has gone which had sent everything (2.9.6), so time has to be up for some.
  await using server = await serveDeno({ PLIMSOLL_MAX_SECONDS: "5" });
  const requests = Array.from({ length: 4 }, (_, i) => smallRequest(i));
  await Promise.all(
    Array.from(
      { length: 20 },
      (_, i) =>
        sendSmall(server.url, i % 5 === 0 ? ENDLESS : requests[i % 4], {
          signal: AbortSignal.timeout(25 * i),
        }).then((response) => response.text()).catch(() => {}),
    ),
  );
  await until(async () => {
    const { active, waiting } = await (await fetch(`${server.url}health`)).json();
    return active + waiting === 0;
  }, 20);
  await bytesOf(await sendSmall(server.url, requests[0]));
});

Deno.test("clients that send one line and no more give their places back after the stall limit, those that wait as well", async () => {
  await using server = await serveDeno({
    PLIMSOLL_MAX_STALL_SECONDS: "2",
    PLIMSOLL_MAX_ACTIVE: "2",
    PLIMSOLL_MAX_WAITING: "8",
  });
  const { hostname, port } = new URL(server.url);
  const text = "POST /v1/calibrate HTTP/1.1\r\nhost: localhost\r\n" +
    "content-type: multipart/form-data; boundary=b\r\ncontent-length: 100000\r\n\r\n--b\r\n";
  const silent = await Promise.all(Array.from({ length: 10 }, async () => {
    const connection = await Deno.connect({ hostname, port: Number(port) });
    await connection.write(new TextEncoder().encode(text));
    return connection;
  }));
  const since = performance.now();
  await until(async () => (await fetch(`${server.url}ready`)).status === 503, 2);
  assert.equal((await sendSmall(server.url, smallRequest(0))).status, 503);
  await until(async () => {
    const { active, waiting } = await (await fetch(`${server.url}health`)).json();
    return active + waiting === 0;
  }, 10);
  assert.ok(performance.now() - since < 5000, `${performance.now() - since} ms`);
  await bytesOf(await sendSmall(server.url, smallRequest(0)));
  for (const connection of silent) connection.close();
});

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.test(`a server ends within 5 s of ${signal}, whatever runs, and finishes what ends by itself`, async () => {
    const server = await serveDeno({ PLIMSOLL_MAX_SHUTDOWN_SECONDS: "3" });
    const endless = sendSmall(server.url, ENDLESS).then((response) => response.status, () => 0);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const honest = sendSmall(server.url, smallRequest(1)).then((response) => response.status);
    await new Promise((resolve) => setTimeout(resolve, 100));
    const since = performance.now();
    Deno.kill(server.pid, signal);
    assert.equal(await honest, 200);
    await endless;
    await server.ended;
    assert.ok(performance.now() - since < 5000, `${performance.now() - since} ms`);
  });
}
