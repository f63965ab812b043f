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
# What an image may bring that would lead past the operator's file; the examples undo it.
ENV UV_DEFAULT_INDEX=https://look-alike.invalid/simple UV_INDEX=https://look-alike.invalid/simple \
    UV_FIND_LINKS=https://look-alike.invalid/links UV_INDEX_STRATEGY=unsafe-best-match \
    PIP_EXTRA_INDEX_URL=https://look-alike.invalid/simple \
    PIP_FIND_LINKS=https://look-alike.invalid/links UV_NO_CONFIG=true
