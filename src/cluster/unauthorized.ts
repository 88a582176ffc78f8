import { X509Certificate } from "node:crypto";
import { KpushError } from "../errors.ts";
import { plain } from "../image/text.ts";
import { answerMessage } from "./api.ts";
import type { Login } from "./credentials/login.ts";
import type { ApiAnswer } from "./types.ts";

/** The error for a 401 that new credentials did not help, or where there are none to be had. */
export function unauthorized(
  server: string,
  user: string,
  answer: ApiAnswer,
  login: Login,
  help: string,
): KpushError {
  const who =
    user === "" ? "requests without credentials" : `the credentials of ${plain(user, 200)}`;
  const expired =
    login.certificate === undefined ? undefined : expiryOfCertificate(login.certificate);
  const why =
    expired === undefined ? answerMessage(answer) : `the client certificate expired on ${expired}`;
  return new KpushError(
    "CLUSTER_UNAUTHORIZED",
    `the API server ${plain(server, 300)} does not accept ${who}: ${why}`,
    {
      hint:
        user === ""
          ? "the context names no user: write the kubeconfig anew with your cluster's tool"
          : help,
    },
  );
}

/** The day on which a certificate ran out, undefined where it has not. */
function expiryOfCertificate(pem: string): string | undefined {
  try {
    const end = new Date(new X509Certificate(pem).validTo);
    return end.getTime() < Date.now() ? end.toISOString().slice(0, 10) : undefined;
  } catch {
    return undefined;
  }
}
