# The worker's image, and the client's: `reachback` is on PATH. CI has no Docker engine to build it with: the steps were
# taken by hand on Debian 12, see docker-compose.yml.

# The image's Node installs; the project then runs on the Node that its own lock file names, as everywhere.
FROM node:24.21.0-bookworm-slim AS build
# Knows `allowScripts`. An older npm compiles better-sqlite3, which brings its binary along, and finds no compiler here.
RUN npm install --global npm@11.19.1
WORKDIR /opt/reachback
COPY package.json package-lock.json .npmrc LICENSE ./
COPY bin bin
COPY deploy/worker deploy/worker
COPY scripts scripts
COPY simulator simulator
COPY src src
# Bundles the workflow code at its end, so that a worker need not.
RUN --mount=type=cache,target=/var/cache/npm npm ci --omit=dev --cache /var/cache/npm && test -s build/workflow-bundle.js

FROM node:24.21.0-bookworm-slim
# For TLS to a Temporal server: the SDK trusts what the system trusts, and the slim image trusts nobody.
RUN apt-get update \
  && apt-get install --yes --no-install-recommends ca-certificates \
  && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/reachback /opt/reachback
# The program belongs to root and is only read; the worker's user owns the workspace, ./data as without a container.
RUN ln -s /opt/reachback/bin/reachback /usr/local/bin/reachback \
  && install --directory --owner=node --group=node /srv/data /srv/state /srv/scratch
ENV NODE_ENV=production XDG_STATE_HOME=/srv/state
WORKDIR /srv
USER node
VOLUME /srv/data /srv/state

ENTRYPOINT ["/opt/reachback/bin/reachback"]
CMD ["worker"]
HEALTHCHECK --interval=30s --timeout=15s --start-period=60s --retries=3 \
  CMD ["/opt/reachback/node_modules/.bin/node", "/opt/reachback/deploy/worker/health.ts"]
