# syntax=docker/dockerfile:1
# Riverrun in a container, one a GPU (or none).
#   docker build -t riverrun .                                    CPU
#   docker build -t riverrun:cuda --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu130 .
#   docker run -p 8000:8000 -e RIVERRUN_TOKEN=… riverrun          (add --gpus all for CUDA)
# Inside it listens on every interface, so it refuses to start without RIVERRUN_TOKEN, unless
# RIVERRUN_ALLOW_ANONYMOUS=1 says that anybody may use it.

FROM node:22-slim AS page
WORKDIR /src/web
COPY web/package.json web/package-lock.json web/.npmrc ./
RUN npm ci --no-audit --no-fund
COPY web/ ./
COPY docs/protocol.schema.json /src/docs/
RUN npm run build

FROM python:3.12-slim AS build
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN python -m venv /opt/riverrun
ENV PATH=/opt/riverrun/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
COPY constraints.txt ./
# torch first and alone: its layer is large and changes least.
RUN pip install --index-url "$TORCH_INDEX" --extra-index-url https://pypi.org/simple \
    torch==2.13.0 -c constraints.txt
COPY pyproject.toml README.md LICENSE ./
COPY models/ models/
COPY streaming/ streaming/
COPY server/ server/
COPY --from=page /src/server/static server/static/
RUN pip install -c constraints.txt '.[server]'

FROM python:3.12-slim
# torch needs OpenMP.
RUN apt-get update && apt-get install -y --no-install-recommends libgomp1 && \
    rm -rf /var/lib/apt/lists/* && useradd --create-home --uid 10001 riverrun
COPY --from=build /opt/riverrun /opt/riverrun
ENV PATH=/opt/riverrun/bin:$PATH PYTHONUNBUFFERED=1 RIVERRUN_HOST=0.0.0.0 RIVERRUN_PORT=8000
USER riverrun
WORKDIR /home/riverrun
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
ENTRYPOINT ["riverrun"]
CMD ["serve"]
