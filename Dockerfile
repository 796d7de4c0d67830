# One image for every process; docker-compose.yml says which runs what. Nothing secret is in it.
FROM python:3.13-slim

# Unbuffered: a log line is out before the process can die. No byte code: the image is never written to.
ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONPATH=/app
WORKDIR /app

# The pins first: a change of ours installs nothing again. Wheels only: nothing is built, so no compiler is needed.
COPY requirements/base.txt requirements/base.txt
RUN pip install --no-cache-dir --disable-pip-version-check --only-binary :all: --require-hashes -r requirements/base.txt

# `turnout` without installing ourselves, which would fetch a build backend that base.txt does not pin.
RUN printf '#!/bin/sh\nexec python -m cli "$@"\n' > /usr/local/bin/turnout \
    && chmod 755 /usr/local/bin/turnout \
    && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin turnout

# Which version this is: `turnout --version`.
COPY pyproject.toml pyproject.toml
COPY cli cli
COPY hubspot_api hubspot_api
COPY migrations migrations
COPY models models
COPY sandbox sandbox
COPY tasks tasks
COPY web web
COPY worker worker

# By number, so that an orchestrator can see that it is not root.
USER 10001
CMD ["turnout", "--help"]
