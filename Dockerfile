# Namewright for workers in containers: docs/how-to/containers.md. To build it: docker build --tag namewright .
FROM python:3.13-slim AS build
ARG PREFIX=/opt/namewright
WORKDIR /src
RUN python -m venv "$PREFIX"
COPY requirements/run.txt requirements/
# The locked requirements are whole, and wheels alone: nothing more is looked for, and nothing is built.
RUN "$PREFIX/bin/python" -m pip install --quiet --no-deps --require-hashes --only-binary=:all: -r requirements/run.txt
COPY . .
RUN "$PREFIX/bin/python" -m pip install --quiet --no-deps --no-build-isolation .
RUN install -m 755 scripts/entrypoint.sh "$PREFIX/bin/namewright-or-prefect"

FROM python:3.13-slim
ARG PREFIX=/opt/namewright
ARG DATA=/var/lib/namewright
COPY --from=build $PREFIX $PREFIX
# A user without a name and without rights. What it writes is in the volume, and may be lost.
RUN install -d -o 10001 -g 10001 "$DATA"
ENV PATH=$PREFIX/bin:$PATH HOME=$DATA PREFECT_HOME=$DATA/prefect NAMEWRIGHT_CACHE=$DATA/cache \
    PYTHONUNBUFFERED=1 DO_NOT_TRACK=1
VOLUME $DATA
WORKDIR $DATA
USER 10001:10001
ENTRYPOINT ["namewright-or-prefect"]
