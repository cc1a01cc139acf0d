# One image per service:  docker build --build-arg SERVICE=gateway -t tsumugi/gateway:0.1.0 .
# SERVICE is ingest-service, embed-service, retriever-service, generator-service, trainer-service or gateway.
ARG JAVA=25.0.3_9

FROM eclipse-temurin:${JAVA}-jdk-noble AS build
RUN apt-get update && apt-get install -y --no-install-recommends maven && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
ARG SERVICE
RUN --mount=type=cache,target=/root/.m2 \
    test -n "$SERVICE" || { echo "pass --build-arg SERVICE=gateway, or another service" >&2; exit 1; }; \
    mvn -B -q -Pimages -pl "$SERVICE" -am package -DskipTests -Dspotless.check.skip=true \
    && java -Djarmode=tools -jar "$SERVICE"/target/*-exec.jar extract --layers --application-filename service.jar --destination /layers

FROM eclipse-temurin:${JAVA}-jre-noble
# /data: blobs and caches. /tmp: native libraries are unpacked there; mount both writable when the root file system is read-only.
RUN groupadd --gid 10001 tsumugi \
    && useradd --uid 10001 --gid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin tsumugi \
    && install -d -o 10001 -g 10001 -m 750 /data
WORKDIR /service
# The layer that changes least comes first.
COPY --from=build /layers/dependencies/ ./
COPY --from=build /layers/spring-boot-loader/ ./
COPY --from=build /layers/snapshot-dependencies/ ./
COPY --from=build /layers/application/ ./
USER 10001:10001
ENV TSUMUGI_CACHE=/data/cache \
    DJL_CACHE_DIR=/data/cache/djl \
    JAVA_OPTIONS="-XX:MaxRAMPercentage=60"
EXPOSE 8080
# The runtime image has no curl; bash can speak enough HTTP.
HEALTHCHECK --interval=10s --timeout=3s --start-period=120s --retries=6 \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8080 && printf 'GET /actuator/health/readiness HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n' >&3 && head -n 1 <&3 | grep -q ' 200'"]
ENTRYPOINT ["sh", "-c", "exec java $JAVA_OPTIONS --enable-native-access=ALL-UNNAMED --add-modules jdk.incubator.vector -jar service.jar"]
