import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { KpushError, messageOf } from "../../errors.ts";
import type { Report } from "../../events.ts";
import { plain } from "../../image/text.ts";
import type { UserEntry } from "../kubeconfig/user-entry.ts";
import { text } from "../values.ts";
import type { Surroundings } from "../types.ts";
import { expiryOf } from "./jwt.ts";
import type { Login, LoginSource } from "./login.ts";
import type { RefreshedTokens } from "./oidc-refresh.ts";

export interface OidcOptions {
  user: UserEntry;
  /** The auth-provider's config: `idp-issuer-url`, `client-id`, `id-token`, `refresh-token`, … */
  config: Readonly<Record<string, unknown>>;
  surroundings: Surroundings;
  report: Report;
  signal: AbortSignal;
}

/**
 * The auth-provider `oidc`: an id-token as bearer token, refreshed at the issuer when it ran out, and
 * written back to the kubeconfig as kubectl does, because most issuers take a refresh-token only once.
 */
export function oidcLogin({
  user,
  config,
  surroundings,
  report,
  signal,
}: OidcOptions): LoginSource {
  let idToken = text(config["id-token"]);
  let refreshToken = text(config["refresh-token"]);
  const login = (): Login => ({
    token: idToken,
    expires: idToken === undefined ? undefined : expiryOf(idToken),
  });

  return {
    help: "log in at your identity provider again, with the tool that wrote the kubeconfig",
    renewable: refreshToken !== undefined,
    async get(refused) {
      const { token, expires } = login();
      const good = token !== undefined && expires !== undefined && expires > Date.now();
      if (good && refused?.token !== token) return login();
      const tokens = await refresh(config, refreshToken, surroundings, signal);
      idToken = tokens.idToken;
      refreshToken = tokens.refreshToken ?? refreshToken;
      await remember(user, { idToken, refreshToken }, report);
      return login();
    },
  };
}

async function refresh(
  config: OidcOptions["config"],
  refreshToken: string | undefined,
  surroundings: Surroundings,
  signal: AbortSignal,
): Promise<RefreshedTokens> {
  const [issuer, clientId] = [text(config["idp-issuer-url"]), text(config["client-id"])];
  if (refreshToken === undefined)
    throw failed("the id-token ran out, and there is no refresh-token to get another");
  if (issuer === undefined || clientId === undefined)
    throw failed("it has no idp-issuer-url or no client-id");
  const data = text(config["idp-certificate-authority-data"]);
  const file = text(config["idp-certificate-authority"]);
  try {
    const { refreshAtIssuer } = await import("./oidc-refresh.ts");
    return await refreshAtIssuer({
      issuer,
      clientId,
      clientSecret: text(config["client-secret"]),
      refreshToken,
      authority:
        data !== undefined
          ? Buffer.from(data, "base64").toString()
          : file && (await readFile(resolve(surroundings.cwd, file), "utf8")),
      env: surroundings.env,
      signal,
    });
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw failed(`${plain(issuer, 200)} gave no new token: ${plain(reasonOf(error), 300)}`, error);
  }
}

/** The library says little itself; the issuer's own words or the network's are in the cause. */
function reasonOf(error: unknown): string {
  const { error_description: said, cause } = error as {
    error_description?: unknown;
    cause?: unknown;
  };
  if (typeof said === "string") return said;
  return cause instanceof Error ? `${messageOf(error)} (${messageOf(cause)})` : messageOf(error);
}

/** A push can go on without: the user may have to log in again next time, and is told. */
async function remember(
  user: UserEntry,
  tokens: { idToken: string; refreshToken: string | undefined },
  report: Report,
): Promise<void> {
  if (user.file === undefined) return;
  try {
    const { storeTokens } = await import("./oidc-store.ts");
    await storeTokens(user.file, user.name, {
      "id-token": tokens.idToken,
      "refresh-token": tokens.refreshToken,
    });
  } catch (error) {
    report({
      type: "warning",
      message: `the refreshed login could not be written to ${plain(user.file, 300)}: ${plain(messageOf(error), 200)}`,
      hint: "you may have to log in again next time",
    });
  }
}

function failed(why: string, cause?: unknown): KpushError {
  return new KpushError(
    "CREDENTIALS_FAILED",
    `the kubeconfig's OIDC login cannot be used: ${why}`,
    {
      hint: "log in at your identity provider again, with the tool that wrote the kubeconfig",
      cause,
    },
  );
}
