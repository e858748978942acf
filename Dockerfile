FROM rust:1-slim-trixie AS build
# perl and make build OpenSSL, which PostgreSQL connections with TLS need.
RUN apt-get update && apt-get install -y --no-install-recommends make perl && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cargo build --release --locked --features postgres-tls

FROM debian:trixie-slim
# wget asks /healthz; the certificates are for a PostgreSQL with a public one; its client's pg_dump makes the copy before an upgrade;
# tesseract reads scans.
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates postgresql-client \
    tesseract-ocr tesseract-ocr-deu tesseract-ocr-fra tesseract-ocr-spa wget && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --user-group --home-dir /data --shell /usr/sbin/nologin kinchart \
    && install -d -o kinchart -g kinchart -m 0700 /data /uploads
COPY --from=build /src/target/release/kinchart /usr/local/bin/kinchart
COPY LICENSE /usr/share/doc/kinchart/LICENSE
ENV KINCHART_LISTEN=0.0.0.0:8080 KINCHART_DATA=/data KINCHART_UPLOADS=/uploads
USER kinchart
WORKDIR /data
VOLUME ["/data", "/uploads"]
EXPOSE 8080
# Whoever sets another port in KINCHART_LISTEN replaces this check too.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 CMD ["wget", "-q", "-O", "/dev/null", "http://127.0.0.1:8080/healthz"]
ENTRYPOINT ["kinchart"]
CMD ["serve"]
