# The operator's image: `docker build .` or `buildah build .`. docs/explanation/image.md explains its contents.
ARG PYTHON_IMAGE=docker.io/library/python:3.13-slim-trixie

# -- Locked packages, in a virtual environment without pip

FROM ${PYTHON_IMAGE} AS packages
WORKDIR /build
COPY requirements/runtime.txt requirements/build.txt requirements/
# `python3 -m venv` provides pip on both supported bases: Debian's Python comes without pip.
RUN python3 -m venv tools \
 && tools/bin/pip install --no-cache-dir --require-hashes -r requirements/build.txt
RUN python3 -m venv --without-pip /opt/artifact-index \
 && tools/bin/pip --python /opt/artifact-index/bin/python install \
      --no-cache-dir --no-compile --only-binary :all: --require-hashes -r requirements/runtime.txt
COPY image/trim_packages.py image/
RUN /opt/artifact-index/bin/python image/trim_packages.py
# The root file system is read-only, so modules not compiled now are compiled at every start. A hash
# instead of a timestamp keeps two builds of the same source identical.
RUN /opt/artifact-index/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/artifact-index/lib

# -- The operator

FROM packages AS build
COPY pyproject.toml README.md LICENSE ./
COPY operator/artifact_index operator/artifact_index
RUN tools/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir dist . \
 && tools/bin/pip --python /opt/artifact-index/bin/python install --no-compile --no-deps --no-index dist/*.whl \
 && /opt/artifact-index/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash \
      /opt/artifact-index/lib/python3.*/site-packages/artifact_index

# -- The base without what neither Python nor the packages need: no other program, not even a shell

FROM ${PYTHON_IMAGE} AS root
COPY --from=packages /opt/artifact-index /opt/artifact-index
COPY image/trim_root.py /tmp/
RUN python3 /tmp/trim_root.py

# -- The remaining files; no layer contains those removed above

FROM scratch
COPY --from=root / /
COPY --from=build /opt/artifact-index /opt/artifact-index
ENV PATH=/opt/artifact-index/bin:/usr/local/bin:/usr/bin:/bin \
    LANG=C.UTF-8 \
    PYTHONSAFEPATH=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# Numeric, because the kubelet cannot tell that a user name is not root.
USER 65532:65532
WORKDIR /
EXPOSE 8080
ENTRYPOINT ["artifact-index"]
CMD ["run"]
ARG VERSION=0.0.0
ARG REVISION=
ARG URL=
LABEL org.opencontainers.image.title="artifact-index-operator" \
      org.opencontainers.image.description="Kubernetes operator that keeps uv.toml and its short-lived index credentials fresh" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${URL}" \
      org.opencontainers.image.url="${URL}"
