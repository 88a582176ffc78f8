#!/usr/bin/env bash
# One push as a person does it without kpush: find a Running pod, forward a port to it, tag, push.
# Usage: by-hand.sh IMAGE    (KUBECONFIG, DOCKER_HOST, KUBECTL; PORT: local port, default 5000)
set -euo pipefail
image=$1 port=${PORT:-5000} kubectl=${KUBECTL:-kubectl}
pod=$("$kubectl" get pods -n kube-system -l k8s-app=kube-registry | grep Running | head -1 | cut -d' ' -f1)
exec 3< <(exec "$kubectl" port-forward -n kube-system "$pod" "$port:5000" 2>&1)
forward=$!
trap 'kill "$forward" 2>/dev/null || true' EXIT
read -r ready <&3
[[ $ready == Forwarding* ]] || { echo "by-hand: $ready" >&2; exit 1; }
docker tag "$image" "localhost:$port/$image"
docker push --quiet "localhost:$port/$image"
