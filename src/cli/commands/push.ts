import { KpushError } from "../../errors.ts";
import type { Command, Outcome } from "../command.ts";
import { clusterOptions, commonOptions } from "../options.ts";
import { withNearestCommand } from "../suggestion.ts";
import { clusterSettings } from "../settings.ts";

/** `kpush IMAGE…` and `kpush push IMAGE…`. */
export const pushCommand: Command = {
  name: "push",
  usage: ["kpush [OPTION]... IMAGE...", "kpush push [OPTION]... IMAGE..."],
  summary: "push images, even one that is called like a command",
  description: [
    "Pushes local container images into a registry that runs inside a Kubernetes cluster, with nothing but your kubeconfig, and prints the references that the cluster's nodes can pull.",
    "IMAGE is the name or id of an image of Docker or Podman, or an archive: a path that starts with /, ./ or ../, or ends in .tar, .tar.gz, .tgz or .tar.zst; oci:PATH, an OCI layout; or -, standard input.",
  ],
  examples: [
    ["kpush myapp:dev", "prints localhost:5000/myapp:dev@sha256:…"],
    [
      "kpush --context staging -n tools api:dev web:dev",
      "two images, into the registry in namespace tools",
    ],
    ["kpush --context staging --context prod web:dev", "one image, into two clusters"],
    ["kpush --dry-run myapp:dev", "what would be sent, layer by layer; sends nothing"],
    ["docker save myapp:dev | kpush -", "an archive, by standard input"],
    ["kubectl set image deploy/web web=$(kpush -q web:dev)", "pushes, and rolls it out"],
  ],
  options: [
    ...clusterOptions,
    "host",
    "docker-context",
    "name",
    "tag",
    "all-tags",
    "platform",
    "force",
    "route",
    "compression",
    "dry-run",
    "timeout",
    ...commonOptions,
  ],
  switches: ["dry-run"],
  several: ["context"],
  help: {
    "dry-run": "send nothing, and list what would be sent",
    context: "push to this context; may be given again",
  },
  takesImages: true,
  async run({ words: images, settings }, { context }) {
    if (images.length === 0) {
      throw new KpushError("USAGE", "no image is named", {
        hint: "kpush myapp:dev pushes one; kpush --help tells more",
      });
    }
    const { context: one, contexts } = settings;
    const {
      host,
      dockerContext,
      name,
      tags,
      allTags,
      platform,
      force,
      route,
      compression,
      timeout,
    } = settings;
    const options = {
      ...clusterSettings(settings),
      context: contexts.length > 1 ? contexts : one,
      ...{ images, host, dockerContext, name, tags, allTags },
      ...{ platform, force, route, compression, timeout, tellLayers: settings.verbose },
    };
    const outcomes: Outcome[] = settings.dryRun
      ? await (await import("../../push/dry-run.ts")).dryRun(options, context)
      : await (await import("../../push/push.ts")).push(options, context);
    // One error may be that of several outcomes, and stays one.
    const meant = new Map<unknown, unknown>();
    return outcomes.map((outcome) => {
      if (!("error" in outcome)) return outcome;
      const { error, image } = outcome;
      if (!meant.has(error)) meant.set(error, withNearestCommand(error, image));
      return { ...outcome, error: meant.get(error) };
    });
  },
};
