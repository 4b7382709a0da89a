# All images of the suite: docker build --target NAME -t flagger-py/NAME:VERSION .
# NAME is podinfo, controller, gatekeeper, helmtester or loadtester.
#
# What a build may need from outside is put into the folder .build beforehand; all of it is optional
# for images that do not use it:
#   .build/bin/      static binaries: helm (helmtester, loadtester); kubectl, ghz,
#                    grpc_health_probe and yours, such as k6 (loadtester, those that are there)
#   .build/share/    files for /usr/local/share of the loadtester: ghz/health.proto
#   .build/wheels/   wheels of everything in locks/ that the image needs, and of hatchling. When there
#                    are any, no package index is asked: the build needs no network. Hashes are
#                    checked either way.
#                      pip download --require-hashes -r locks/controller-clouds.txt -d .build/wheels
# All but k6 and wheels is put there by: python -m tools.cluster programs
# Without wheels, packages come from an index that pip is told about by the arguments PIP_*; files
# they name can be in .build, too: .build/ca.crt is /build/ca.crt (PIP_CERT).
# Only syntax of the classic builder: it builds every stage above its target, so cheap ones come first.

# Debian with Python >= 3.11 and its venv module. Wheels must be for the same Python.
ARG BASE_IMAGE=python:3.12-slim-bookworm
# Base of the load tester: BASE_IMAGE, or one that has its tools already.
ARG TOOLS_IMAGE=${BASE_IMAGE}

FROM ${BASE_IMAGE} AS base
# What manifests made for upstream's images find in them: wget for probes, as slim images have none.
RUN command -v wget >/dev/null || { \
      printf '%s\n' \
        '#!/usr/bin/env -S python3 -I -S' \
        '"""Enough of wget for probes: succeeds when the URL, the last argument, does."""' \
        'import sys, urllib.request' \
        'try:' \
        '    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))' \
        '    direct.open(sys.argv[-1], timeout=4)' \
        'except (OSError, ValueError) as error:' \
        '    sys.exit(f"wget: {error}")' \
        >/usr/local/bin/wget && chmod 755 /usr/local/bin/wget; }
# The user of the images can be any number: it has no name for getpass and no home, and /tmp is the
# one place that is writable.
ENV USER=flagger HOME=/tmp PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1


FROM base AS podinfo
COPY examples/podinfo/podinfo /opt/podinfo/podinfo
WORKDIR /opt/podinfo
USER 10001:10001
EXPOSE 9898
ENTRYPOINT ["python3", "-m", "podinfo"]


# The builder has pip and a build backend; the images get finished virtual environments without pip.
FROM base AS builder
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_TRUSTED_HOST
ARG PIP_CERT
ARG PIP_PROXY
# Arguments end with their stage, variables do not; pip ignores empty ones.
ENV PIP_INDEX_URL=$PIP_INDEX_URL PIP_EXTRA_INDEX_URL=$PIP_EXTRA_INDEX_URL \
    PIP_TRUSTED_HOST=$PIP_TRUSTED_HOST PIP_CERT=$PIP_CERT PIP_PROXY=$PIP_PROXY \
    PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ONLY_BINARY=:all:
WORKDIR /build
# LICENSE is only there because COPY needs one file that exists.
COPY LICENSE .buil[d] ./
RUN mkdir -p bin share wheels && chmod -R a+rX bin share && find bin -type f -exec chmod 755 {} +
COPY locks/all.txt locks/
# `install ENVIRONMENT ARGUMENTS...`: pip, from the wheels if there are some.
RUN python3 -m venv /build/pip && printf '%s\n' \
      '#!/bin/sh -e' \
      'environment=$1; shift' \
      'if ls /build/wheels/*.whl >/dev/null 2>&1; then' \
      '  export PIP_NO_INDEX=1 PIP_FIND_LINKS=/build/wheels' \
      'fi' \
      'exec /build/pip/bin/pip --python "$environment" install --quiet "$@"' \
      >install && chmod 755 install
# The build backend in the locked versions.
RUN awk '/^[^ ]/ { wanted = $0 ~ /^(hatchling|packaging|pathspec|pluggy|tomlkit|trove-classifiers)==/ } wanted' \
      locks/all.txt >backend.txt && ./install /build/pip --require-hashes -r backend.txt


# Our own packages, apart from the others: a change of ours installs nothing else anew.
FROM builder AS own
COPY libs libs
COPY services services
RUN for package in libs/common services/*; do \
      /build/pip/bin/pip wheel --quiet --no-deps --no-build-isolation --no-index -w own "./$package"; \
    done


FROM builder AS controller-environment
# With what MetricTemplates of type cloudwatch and stackdriver need to log in, 59 MB; an empty value
# leaves it out.
ARG CLOUDS=yes
COPY locks/controller.txt locks/controller-clouds.txt locks/
RUN python3 -m venv --without-pip /opt/venv \
    && ./install /opt/venv --require-hashes -r "locks/controller${CLOUDS:+-clouds}.txt"
COPY --from=own /build/own own
RUN ./install /opt/venv --no-deps own/flagger_common-*.whl own/flagger_controller-*.whl

FROM base AS controller
COPY --from=controller-environment /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
# Existing manifests start ./flagger in the working directory.
RUN ln -s /opt/venv/bin/flagger /flagger
WORKDIR /
USER 10001:10001
EXPOSE 8080
ENTRYPOINT ["flagger"]


FROM builder AS gatekeeper-environment
COPY locks/gatekeeper.txt locks/
RUN python3 -m venv --without-pip /opt/venv \
    && ./install /opt/venv --require-hashes -r locks/gatekeeper.txt
COPY --from=own /build/own own
RUN ./install /opt/venv --no-deps own/flagger_common-*.whl own/flagger_gatekeeper-*.whl

FROM base AS gatekeeper
COPY --from=gatekeeper-environment /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
# A volume mounted here belongs to the user of the process.
RUN mkdir /data && chown 10001:10001 /data
WORKDIR /tmp
USER 10001:10001
EXPOSE 8080
ENTRYPOINT ["python3", "-m", "flagger_gatekeeper"]


FROM builder AS helmtester-environment
COPY locks/helmtester.txt locks/
RUN test -x bin/helm || { echo "put a static helm binary into .build/bin" >&2; exit 1; }
RUN python3 -m venv --without-pip /opt/venv \
    && ./install /opt/venv --require-hashes -r locks/helmtester.txt
COPY --from=own /build/own own
RUN ./install /opt/venv --no-deps own/flagger_common-*.whl own/flagger_helmtester-*.whl

FROM base AS helmtester
COPY --from=helmtester-environment /build/bin/helm /usr/local/bin/helm
COPY --from=helmtester-environment /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
WORKDIR /tmp
USER 10001:10001
EXPOSE 8080
ENTRYPOINT ["python3", "-m", "flagger_helmtester"]


FROM builder AS loadtester-environment
COPY locks/loadtester.txt locks/
RUN python3 -m venv --without-pip /opt/venv \
    && ./install /opt/venv --require-hashes -r locks/loadtester.txt
COPY --from=own /build/own own
RUN ./install /opt/venv --no-deps own/flagger_common-*.whl own/flagger_loadtester-*.whl

# Extend this image with your own programs in /usr/local/bin.
FROM ${TOOLS_IMAGE} AS loadtester
RUN for tool in bash bats curl hey jq wget wrk; do \
      command -v "$tool" >/dev/null || missing="$missing $tool"; \
    done; \
    if [ -n "$missing" ]; then \
      apt-get update -qq \
      && apt-get install -qq -y --no-install-recommends ca-certificates $missing >/dev/null \
      && rm -rf /var/lib/apt/lists/*; \
    fi
COPY --from=loadtester-environment /build/bin/ /usr/local/bin/
COPY --from=loadtester-environment /build/share/ /usr/local/share/
COPY --from=loadtester-environment /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH USER=flagger HOME=/tmp PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# Existing manifests start ./loadtester in the working directory.
WORKDIR /home/app
RUN printf '%s\n' '#!/bin/sh' 'exec /opt/venv/bin/python3 -m flagger_loadtester "$@"' >loadtester \
    && chmod 755 loadtester
USER 10001:10001
EXPOSE 8080
ENTRYPOINT ["./loadtester"]
