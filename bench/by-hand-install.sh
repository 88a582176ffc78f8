#!/usr/bin/env bash
# A registry as a person sets it up without kpush: apply the old manifests, wait for them, and look on
# each node whether it answers.
# Usage: by-hand-install.sh MANIFEST   (KUBECONFIG, KUBECTL; CLUSTER: script that runs a command on a node)
set -euo pipefail
kubectl=${KUBECTL:-kubectl}
"$kubectl" apply -f "$1"
"$kubectl" rollout status -n kube-system daemonset/kube-registry-proxy --timeout=120s
"$kubectl" wait -n kube-system --for=condition=Ready pod -l k8s-app=kube-registry --timeout=120s
for node in 1 2; do
  until [ "$("$CLUSTER" node "$node" curl -s -o /dev/null -w '%{http_code}' localhost:5000/v2/)" = 200 ]; do
    sleep 0.1
  done
done
