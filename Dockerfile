# The worker, and nothing else: no shell, no package manager, no root. Azure Container Registry builds it when azd
# deploys, so the file uses only what every builder knows (no BuildKit mounts). Not Microsoft's image of Go: its
# compiler makes programs that need OpenSSL, which the second image does not have.
FROM golang:1.26.8@sha256:6c2a5538f964f1c82f97ad14988bf05de100d922d159d0e398b54c7b0ca0c6c9 AS build
WORKDIR /src
COPY LICENSE go.mod go.sum ./
RUN go mod download
COPY cmd/worker cmd/worker
COPY internal internal
COPY web web
# A commit, where the builder knows it: the build context has no Git history.
ARG VERSION=
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false \
    -ldflags="-s -w -X chatapp/internal/worker.version=${VERSION}" -o /out/worker ./cmd/worker
# The licences of all that is in the binary, each under its module's path.
RUN mkdir -p /out/licenses/go && cp "$(go env GOROOT)/LICENSE" /out/licenses/go \
    && go list -deps -f '{{with .Module}}{{.Path}} {{.Dir}}{{end}}' ./cmd/worker > /out/modules \
    && sort -u -o /out/modules /out/modules \
    && while read -r path dir; do \
      mkdir -p "/out/licenses/$path"; \
      find "$dir" -maxdepth 1 -type f \( -name 'LICEN[CS]E*' -o -name 'NOTICE*' -o -name 'PATENTS*' \) \
        -exec cp {} "/out/licenses/$path" \;; \
    done < /out/modules

# This image has what the binary needs besides the kernel: the certificate authorities of Service Bus and Entra.
FROM gcr.io/distroless/static-debian13:nonroot@sha256:e2e927ec666bae08560abb3c55d0659eceabb657f56b6782ab500a9fc7f555e3
COPY --from=build /out/licenses /licenses
COPY --from=build /out/worker /worker
USER 65532:65532
EXPOSE 3000
ENTRYPOINT ["/worker"]
