# kpush as an image, from a built checkout: npm ci && npm run build && docker build -t kpush .
ARG BASE=node:22.20.0-alpine3.22
FROM ${BASE}
COPY package.json LICENSE /opt/kpush/
COPY bin /opt/kpush/bin/
COPY dist /opt/kpush/dist/
COPY docs/errors.md /opt/kpush/docs/
RUN ln -s /opt/kpush/bin/kpush.js /usr/local/bin/kpush
USER 1000:1000
ENTRYPOINT ["kpush"]
