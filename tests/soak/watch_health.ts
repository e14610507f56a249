/** Asks `/health` twice a second, in a thread of its own: what the clients of the soak do isn't measured with it. */
const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<string>) => void;
  postMessage(message: { ok: boolean; milliseconds: number }): void;
};

scope.onmessage = async ({ data: url }) => {
  while (true) {
    const since = performance.now();
    const answer = await fetch(`${url}health`).catch(() => undefined);
    await answer?.text();
    scope.postMessage({ ok: answer?.ok === true, milliseconds: performance.now() - since });
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
};
