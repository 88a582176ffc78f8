import { answerMessage } from "../../cluster/api.ts";
import { refOf, refusal, titleOf } from "../../cluster/objects.ts";
import type { ApiAnswer, Cluster } from "../../cluster/types.ts";
import { KpushError } from "../../errors.ts";
import { mapping } from "../../cluster/values.ts";
import { causesOf, type Written } from "./conflicts.ts";

/**
 * Whether an answer says that the user lacks a right. Admission refuses by 403 too: a quota, Pod
 * Security, a webhook, a claim that cannot grow; only the authorizer's words tell them apart (see
 * `ForbiddenMessage` of k8s.io/apiserver, and the escalation check of RBAC).
 */
export function isForbidden(answer: ApiAnswer): boolean {
  return (
    answer.status === 403 &&
    / cannot \S+ (?:resource|path) |attempting to grant RBAC permissions/.test(
      answerMessage(answer),
    )
  );
}

/** Whether a dry run failed only because its namespace will be made before it. */
export function lacksNamespace(answer: ApiAnswer): boolean {
  return answer.status === 404 && mapping(mapping(answer.json)["details"])["kind"] === "namespaces";
}

/**
 * Whether a RoleBinding failed only because its Role will be made before it: nobody but a cluster's
 * administrator may bind what is not there. The server then says that the binding is not found.
 */
export function lacksRole({ object, answer }: Written): boolean {
  return object.kind === "RoleBinding" && answer.status === 404 && !lacksNamespace(answer);
}

/** Whether nothing can be made in the namespace, as it is being deleted. */
export function isTerminating({ json }: ApiAnswer): boolean {
  return causesOf(json).some(({ reason }) => reason === "NamespaceTerminating");
}

/** Whether an object cannot be changed so, but could be made anew. */
export function isImmutable(answer: ApiAnswer): boolean {
  return (
    answer.status === 422 &&
    /immutable|may not change once set|can ?not (?:be )?(?:changed?|unset)/.test(
      answerMessage(answer),
    )
  );
}

/** Whether a Deployment's strategy is what stands in the way: apply cannot take `rollingUpdate` out. */
export function isStrategySwitch({ status, json }: ApiAnswer): boolean {
  return (
    status === 422 && causesOf(json).some(({ field }) => field === "spec.strategy.rollingUpdate")
  );
}

/** The error for answers that nothing else explains: `INSTALL_REFUSED` with what the server says. */
export function refusedError(cluster: Cluster, refused: readonly Written[]): KpushError {
  const understood = refused.every(({ answer }) => answer.status === 422 || answer.status === 403);
  const [first] = refused;
  if (first && !understood) return refusal(first.answer, cluster, "apply", refOf(first.object));
  const said = refused.map(
    ({ object, answer }) => `${titleOf(refOf(object))}: ${answerMessage(answer)}`,
  );
  return new KpushError("INSTALL_REFUSED", `the cluster does not take it: ${said.join("; ")}`);
}
