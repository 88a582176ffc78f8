#!/usr/bin/env bash
# One push of an archive as a person does it with crane: find a Running pod, forward a port to it, push.
# Usage: by-hand-crane.sh ARCHIVE NAME:TAG    (KUBECONFIG, KUBECTL, CRANE; PORT: local port, default 5000)
set -euo pipefail
port=${PORT:-5000} kubectl=${KUBECTL:-kubectl}
pod=$("$kubectl" get pods -n kube-system -l k8s-app=kube-registry | grep Running | head -1 | cut -d' ' -f1)
exec 3< <(exec "$kubectl" port-forward -n kube-system "$pod" "$port:5000" 2>&1)
forward=$!
trap 'kill "$forward" 2>/dev/null || true' EXIT
read -r ready <&3
[[ $ready == Forwarding* ]] || { echo "by-hand-crane: $ready" >&2; exit 1; }
"$CRANE" push --insecure "$1" "localhost:$port/$2"
