import { KpushError } from "../errors.ts";
import { plain } from "../image/text.ts";
import { answerMessage, unexpectedAnswer } from "./api.ts";
import { podsOf, type Pod } from "./pods.ts";
import { kindsIn, registryKinds, selectorsOf } from "./registry-kinds.ts";
import type { Cluster, RegistryOptions } from "./types.ts";

/** What one namespace says. */
export interface Listing {
  namespace: string;
  pods: Pod[];
  /** The refusing answer's message where pods may not be listed there. */
  refusal: string | undefined;
}

/** The pods of a namespace that may be a registry, by all the selectors that the options come to. */
export async function listPods(
  cluster: Pick<Cluster, "request" | "server">,
  namespace: string,
  options: RegistryOptions,
  signal: AbortSignal,
): Promise<Listing> {
  const { selector } = options;
  const kinds = options.namespace === undefined ? kindsIn(namespace) : registryKinds;
  const selectors = selector === undefined ? selectorsOf(kinds) : [selector];
  const answers = await Promise.all(
    selectors.map((each) =>
      cluster.request(
        "GET",
        `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods?labelSelector=${encodeURIComponent(each)}`,
        { signal },
      ),
    ),
  );
  const byUid = new Map<string, Pod>();
  let refusal: string | undefined;
  for (const answer of answers) {
    const pods = answer.status === 200 ? podsOf(answer.json) : undefined;
    if (answer.status === 403) refusal = answerMessage(answer);
    else if (answer.status === 400 && selector !== undefined)
      throw badSelector(selector, answerMessage(answer));
    else if (!pods)
      throw unexpectedAnswer(
        answer,
        `list the pods of namespace ${plain(namespace, 100)}`,
        cluster.server,
      );
    for (const pod of pods ?? []) byUid.set(pod.metadata.uid, pod);
  }
  return { namespace, pods: [...byUid.values()], refusal };
}

function badSelector(selector: string, why: string): KpushError {
  return new KpushError(
    "USAGE",
    `the selector "${plain(selector, 200)}" is not understood: ${why}`,
    {
      hint: "it must be like kubectl's: -l app=registry,tier=cache",
    },
  );
}
