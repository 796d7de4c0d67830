# One image for every process; docker-compose.yml and deploy/kubernetes say which runs what. Nothing secret is in it.
#
# The base is named by its version. To hold it to its content too, add the digest that your registry gives:
#   docker build --build-arg PYTHON=python:3.13.16-slim-trixie@sha256:… .
ARG PYTHON=python:3.13.16-slim-trixie

FROM ${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore
WORKDIR /opt/source

# The pins first: a change of ours installs nothing again. Wheels only: nothing is compiled, so no compiler is needed.
# The extra `embedded`, PostgreSQL and Valkey for `turnout up`, is not among them. With traces and error reports:
#   docker build --build-arg REQUIREMENTS=reports .
ARG REQUIREMENTS=base
COPY requirements/base.txt requirements/base.txt
COPY requirements/reports.txt requirements/reports.txt
RUN python -m venv /opt/turnout \
    && /opt/turnout/bin/python -m pip install --only-binary :all: --require-hashes -r "requirements/${REQUIREMENTS}.txt"
COPY requirements/build.txt requirements/build.txt
RUN python -m venv /opt/build \
    && /opt/build/bin/python -m pip install --only-binary :all: --require-hashes -r requirements/build.txt

# Turnout itself, as a wheel like any other. What only installs is left behind.
COPY pyproject.toml pyproject.toml
COPY README.md README.md
COPY cli cli
COPY hubspot_api hubspot_api
COPY migrations migrations
COPY models models
COPY sandbox sandbox
COPY tasks tasks
COPY web web
COPY worker worker
RUN /opt/build/bin/python -m pip wheel --no-index --no-build-isolation --no-deps --wheel-dir dist . \
    && /opt/turnout/bin/python -m pip install --no-index --no-deps dist/turnout-*.whl \
    && /opt/turnout/bin/python -m pip uninstall --yes pip

FROM ${PYTHON}
# `docker build --build-arg REVISION=$(git rev-parse HEAD) .`
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Turnout" \
      org.opencontainers.image.description="Delivers attendance records to HubSpot, and accounts for every one" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.revision="${REVISION}"

# Unbuffered: a log line is out before the process can die. No byte code is written: the image is read-only, and holds
# that of its packages. The probes' port is on in every process: HEALTHCHECK asks it.
ENV PATH=/opt/turnout/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    TURNOUT_MONITOR_PORT=8801
RUN groupadd --system --gid 10001 turnout \
    && useradd --system --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin turnout
COPY --from=build /opt/turnout /opt/turnout

# Nothing is kept here: it is the folder in which a `.env` would be looked for. Only /tmp must be writable.
WORKDIR /srv/turnout
# By number, so that an orchestrator can see that it is not root.
USER 10001:10001
EXPOSE 8800 8801
HEALTHCHECK --interval=30s --timeout=20s --start-period=60s --retries=3 CMD ["turnout", "health"]
CMD ["turnout", "--help"]
