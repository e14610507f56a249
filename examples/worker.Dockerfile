# A worker of calibrations over a queue, and the command line beside it; see examples/compose.yaml and docs/distributed.md:
#   docker build -f examples/worker.Dockerfile -t plimsoll-worker .
FROM denoland/deno:2.9.6
WORKDIR /plimsoll
COPY . .
# All that is fetched is fetched here, also what is loaded only when it is wanted.
ENV DENO_DIR=/deno-dir DENO_NO_UPDATE_CHECK=1
RUN deno install --lock=deno.lock --frozen --entrypoint \
        main.ts apps/hosts/deno_command.ts apps/hosts/deno_shard.ts \
    && deno cache --lock=deno.lock --frozen npm:bullmq@6.7.0 npm:ioredis@6.0.0 npm:pg@8.23.1 \
        npm:aws4fetch@1.0.20 npm:@huggingface/tokenizers@0.2.0 \
    && chmod -R a+rX /plimsoll /deno-dir
USER 65534:65534
# Deno itself is told to end, and hands the shard back within 10 seconds.
STOPSIGNAL SIGTERM
ENTRYPOINT ["deno", "run", "--lock=deno.lock", "--cached-only", "--no-prompt", "--allow-read", "--allow-write=/shared,/out", \
    "--allow-net", "--allow-env", "main.ts"]
CMD ["--help"]
