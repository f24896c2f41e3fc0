FROM rust:1-bookworm AS build
WORKDIR /sabir
COPY . .
RUN make dist

FROM debian:bookworm-slim
# Who is believed of upstreams over https.
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/*
RUN useradd --system --create-home --home-dir /var/lib/sabir sabir
COPY --from=build /sabir/target/dist/sabir /usr/local/bin/sabir
USER sabir
# sabir.toml is looked for here unless SABIR_CONFIG names another, and sabir.db is kept here.
WORKDIR /var/lib/sabir
VOLUME /var/lib/sabir
# Inside a container the container's edge is the loopback: what is reached from outside is for `ports` to say.
ENV SABIR__LISTEN__PUBLIC=0.0.0.0:8080
ENV SABIR__LISTEN__ADMIN=0.0.0.0:9090
EXPOSE 8080 9090
ENTRYPOINT ["sabir"]
CMD ["serve"]
