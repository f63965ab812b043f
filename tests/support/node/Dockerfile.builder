# What builder pods run on a node without a registry: uv and pip, as the images in examples/builders.
ARG PYTHON_IMAGE
FROM ${PYTHON_IMAGE}
RUN python3 -m venv /opt/python
COPY uv /usr/local/bin/uv
ENV PATH=/opt/python/bin:/usr/local/bin:/usr/bin:/bin
