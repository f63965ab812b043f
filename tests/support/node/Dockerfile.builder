# What builder pods run on a node without a registry: uv and pip, as the images in examples/builders.
ARG PYTHON_IMAGE
FROM ${PYTHON_IMAGE} AS root
RUN python3 -m venv /opt/python
COPY trim_root.sh /tmp/
RUN sh /tmp/trim_root.sh
FROM scratch
COPY --from=root / /
COPY uv /usr/local/bin/uv
ENV PATH=/opt/python/bin:/usr/local/bin:/usr/bin:/bin
