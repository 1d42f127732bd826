# One image for every role; ROLE chooses at start. The first stage compiles, the second holds only what runs.
FROM node:24-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --no-progress
COPY nest-cli.json tsconfig.json tsconfig.build.json ./
COPY apps apps
COPY libs libs
RUN npm run build && npm prune --omit=dev --no-progress

FROM node:24-slim
# The first process reaps what programs of `process.run` leave behind, and hands signals on; without it that would be Node.js.
RUN apt-get update && apt-get install --yes --no-install-recommends tini && rm -rf /var/lib/apt/lists/*
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
# An embedded start keeps its database here; everything else in the image belongs to root and stays as it is.
RUN install --directory --owner=node --group=node --mode=0700 data
USER node
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT || 3000}/health/live`, { signal: AbortSignal.timeout(2500) }).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["/usr/bin/tini", "--"]
# Room for young objects: with less, a quarter of a busy worker's time goes into moving those that are about to die. Costs up to 100 MiB
# more than 32 would.
CMD ["node", "--enable-source-maps", "--max-semi-space-size=64", "dist/apps/server/main.js"]
