import { KpushError } from "../../errors.ts";
import { RegistryProblem } from "../../registry/problem.ts";

/**
 * What distribution 3.1 says with a 500 where its volume is not its own, while its `/` answers 200:
 * `filesystem: mkdir /var/lib/registry/docker: permission denied`. Version 2.8 gives the error number
 * alone: EPERM, EACCES, EROFS.
 */
const denied =
  /permission denied|operation not permitted|read-only file system|"Err":(?:1|13|30)\b/i;

/**
 * Whether a push failed as the registry's user may not write to its volume: another user, such as
 * root, may help.
 */
export function isUnwritable(error: unknown): boolean {
  const problem = RegistryProblem.of(error);
  return problem !== undefined && problem.status >= 500 && denied.test(problem.message);
}

/** The error for it, with the cause that {@link isUnwritable} looks at. */
export function unwritable(error: KpushError): KpushError {
  const { cause } = error;
  const said = cause instanceof Error ? cause.message : error.message;
  return new KpushError(
    "REGISTRY_READ_ONLY",
    `the registry's user may not write to its volume, so that nothing can be pushed: ${said}`,
    {
      hint: "Kubernetes leaves the owner of such volumes (host paths, NFS) alone, whatever fsGroup says: kpush install --run-as-user 0",
      cause,
    },
  );
}
