#!/bin/sh
# Notes the commit for the image's build. Without Git or a commit there is none, and the worker says "unknown".
set -eu
version=$(git describe --always --abbrev=12 --dirty=+changes --exclude='*' 2>/dev/null || true)
azd env set CHAT_VERSION "$version"
