import { KpushError } from "../../errors.ts";
import { plain } from "../../image/text.ts";
import type { Report } from "../../events.ts";
import type { ClusterEntry } from "../kubeconfig/cluster-entry.ts";
import type { UserEntry } from "../kubeconfig/user-entry.ts";
import type { Surroundings } from "../types.ts";
import type { LoginSource } from "./login.ts";
import { isComplete, staticLogin } from "./static-login.ts";

export interface SourceOptions {
  user: UserEntry;
  cluster: ClusterEntry & { authority: string | undefined };
  surroundings: Surroundings;
  report: Report;
  signal: AbortSignal;
}

/**
 * The source of logins for a user of the kubeconfig. As in client-go, a token or a password goes
 * before an exec plugin or an auth-provider, which then do not run; a certificate is shown besides.
 *
 * @throws KpushError `CREDENTIALS_FAILED` for an auth-provider that kubectl dropped too
 */
export async function loginSource(options: SourceOptions): Promise<LoginSource> {
  const { user } = options;
  const fixed = staticLogin(user);
  if (isComplete(user) || user.tokenFile !== undefined) return fixed;
  const asked = await askedLogin(options);
  if (!asked) return fixed;
  return {
    ...asked,
    get: async (refused) => {
      const [shown, got] = await Promise.all([fixed.get(), asked.get(refused)]);
      return got.certificate === undefined
        ? { ...got, certificate: shown.certificate, key: shown.key }
        : got;
    },
  };
}

/** Plugins and issuers are loaded only where the kubeconfig names one. */
async function askedLogin({
  user,
  cluster,
  surroundings,
  report,
  signal,
}: SourceOptions): Promise<LoginSource | undefined> {
  if (user.exec) {
    const { execLogin } = await import("./exec-plugin.ts");
    return execLogin({ exec: user.exec, cluster, surroundings, signal });
  }
  if (!user.authProvider) return undefined;
  const { name } = user.authProvider;
  if (name === "oidc") {
    const { oidcLogin } = await import("./oidc.ts");
    return oidcLogin({ user, config: user.authProvider.config, surroundings, report, signal });
  }
  throw dropped(name);
}

const successors: Readonly<Record<string, string>> = {
  gcp: "install gke-gcloud-auth-plugin and run: gcloud container clusters get-credentials CLUSTER",
  azure: "install kubelogin and run: kubelogin convert-kubeconfig",
};

function dropped(name: string): KpushError {
  return new KpushError(
    "CREDENTIALS_FAILED",
    `the kubeconfig logs in by the auth-provider ${plain(name, 60)}, which kubectl dropped in 1.26 and kpush does not know`,
    {
      hint:
        successors[name] ??
        "write the kubeconfig anew with your cluster's tool, so that it uses an exec plugin",
    },
  );
}
