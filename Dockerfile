# One image for the web server and the nodes of a fleet; see docker-compose.yml.
FROM python:3.11-slim

# git is for the projects that chunks work on.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 specyard \
    && install --directory --owner=specyard --mode=0700 /data

WORKDIR /opt/specyard
COPY requirements.lock requirements-build.lock ./
RUN pip install --no-cache-dir --require-hashes -r requirements-build.lock -r requirements.lock

COPY pyproject.toml README.md ./
COPY specs specs
COPY workers workers
COPY queue_app queue_app
COPY dashboard dashboard
COPY templates templates
COPY static static
RUN pip install --no-cache-dir --no-deps --no-build-isolation .

USER specyard
WORKDIR /home/specyard
ENV SPECYARD_DATA_DIR=/data \
    SPECYARD_HOST=0.0.0.0 \
    SPECYARD_ALLOWED_ROOTS=/projects \
    PYTHONUNBUFFERED=1
VOLUME /data
EXPOSE 8420
ENTRYPOINT ["specyard"]
CMD ["up"]
