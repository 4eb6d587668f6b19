# The worker, and nothing else: no shell, no package manager, no root. Azure Container Registry builds it when azd
# deploys, so the file uses only what every builder knows (no BuildKit mounts).
FROM golang:1.26.8 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY cmd/worker cmd/worker
COPY internal internal
COPY web web
# A commit, where the builder knows it: the build context has no Git history.
ARG VERSION=
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false \
    -ldflags="-s -w -X chatapp/internal/worker.version=${VERSION}" -o /out/worker ./cmd/worker

# This image has what the binary needs besides the kernel: the certificate authorities of Service Bus and Entra.
FROM gcr.io/distroless/static-debian13:nonroot
COPY --from=build /out/worker /worker
USER 65532:65532
EXPOSE 3000
ENTRYPOINT ["/worker"]
