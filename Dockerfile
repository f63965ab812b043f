# The operator's image: `docker build .` or `buildah build .`. What is in it, and why: docs/image.md.
ARG PYTHON_IMAGE=docker.io/library/python:3.13-slim-trixie

# -- Locked packages and the operator, in a virtual environment without pip

FROM ${PYTHON_IMAGE} AS build
WORKDIR /build
COPY requirements/runtime.txt requirements/build.txt requirements/
# `python3 -m venv` finds pip on both bases that are in use: Debian has none beside its Python.
RUN python3 -m venv tools \
 && tools/bin/pip install --no-cache-dir --require-hashes -r requirements/build.txt
RUN python3 -m venv --without-pip /opt/artifact-index \
 && tools/bin/pip --python /opt/artifact-index/bin/python install \
      --no-cache-dir --no-compile --only-binary :all: --require-hashes -r requirements/runtime.txt
COPY image/trim_packages.py image/
RUN /opt/artifact-index/bin/python image/trim_packages.py
COPY pyproject.toml README.md LICENSE ./
COPY operator/artifact_index operator/artifact_index
RUN tools/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir dist . \
 && tools/bin/pip --python /opt/artifact-index/bin/python install --no-compile --no-deps --no-index dist/*.whl
# The root file system is read-only: what is not compiled now is compiled at every start. A hash in
# place of a time keeps two builds of one source equal.
RUN /opt/artifact-index/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/artifact-index/lib

# -- The base without what an operator has no use for

FROM ${PYTHON_IMAGE} AS root
COPY image/trim_root.sh /tmp/
RUN sh /tmp/trim_root.sh
# No shell and no program but Python: `kubectl debug` brings its own.
RUN find /usr/bin /usr/sbin -mindepth 1 ! -name 'python3*' -delete

# -- What is left, and in no layer what was removed above

FROM scratch
COPY --from=root / /
COPY --from=build /opt/artifact-index /opt/artifact-index
ENV PATH=/opt/artifact-index/bin:/usr/local/bin:/usr/bin:/bin \
    LANG=C.UTF-8 \
    PYTHONSAFEPATH=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# Numeric: with a name the kubelet cannot tell that it is not root.
USER 65532:65532
WORKDIR /
EXPOSE 8080
ENTRYPOINT ["artifact-index"]
CMD ["run"]
ARG VERSION=0.0.0
ARG REVISION=
LABEL org.opencontainers.image.title="artifact-index-operator" \
      org.opencontainers.image.description="Kubernetes operator that keeps uv.toml and its short-lived index credentials fresh" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
