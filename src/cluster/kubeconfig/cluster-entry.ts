import { plain } from "../../image/text.ts";
import { invalid, quoted, type Entry } from "./parse.ts";
import { list, mapping, text } from "../values.ts";

/** Name of the cluster extension that holds what an exec plugin is told about the cluster. */
const execExtension = "client.authentication.k8s.io/exec";

/** How to reach an API server; what a kubeconfig says of a cluster. */
export interface ClusterEntry {
  name: string;
  /** With scheme, without a trailing slash; may have a path. */
  server: string;
  /** Base64 of PEM, as in the kubeconfig; goes before the file. */
  authorityData: string | undefined;
  authorityFile: string | undefined;
  serverName: string | undefined;
  insecure: boolean;
  proxyUrl: string | undefined;
  /** Handed to exec plugins that ask for cluster information, as it stands. */
  execConfig: unknown;
}

/**
 * Reads a cluster of the kubeconfig.
 *
 * @throws KpushError `KUBECONFIG_INVALID` where kubectl would not use it either
 */
export function readCluster(entry: Entry, resolve: (path: string) => string): ClusterEntry {
  const { fields } = entry;
  const authorityFile = text(fields["certificate-authority"]);
  const authorityData = text(fields["certificate-authority-data"]);
  const insecure = fields["insecure-skip-tls-verify"] === true;
  const fail = (why: string) => invalid(entry.file, `cluster ${quoted(entry.name)} ${why}`);
  if (insecure && (authorityFile ?? authorityData) !== undefined) {
    throw fail(
      "has a certificate-authority and insecure-skip-tls-verify, which exclude each other",
    );
  }
  const server = text(fields["server"]);
  if (server === undefined) throw fail("has no server");
  const address = serverAddress(server, insecure || (authorityFile ?? authorityData) !== undefined);
  if (address === undefined) throw fail(`has a server that is no address: ${plain(server, 200)}`);
  const proxyUrl = text(fields["proxy-url"]);
  if (proxyUrl !== undefined && !/^(https?|socks5):\/\/[^/]/.test(proxyUrl)) {
    throw fail("has a proxy-url that is not http://, https:// or socks5://");
  }
  const extension = list(fields["extensions"])
    .map(mapping)
    .find((each) => each["name"] === execExtension);
  return {
    name: entry.name,
    server: address,
    authorityData,
    authorityFile: authorityFile === undefined ? undefined : resolve(authorityFile),
    serverName: text(fields["tls-server-name"]),
    insecure,
    proxyUrl,
    execConfig: extension?.["extension"],
  };
}

/** Without a scheme client-go takes https where the entry speaks of TLS, else http. */
function serverAddress(server: string, tls: boolean): string | undefined {
  const address = server.includes("://") ? server : `${tls ? "https" : "http"}://${server}`;
  if (!/^https?:\/\//.test(address) || !URL.canParse(address)) return undefined;
  const { protocol, host, pathname } = new URL(address);
  return host === "" ? undefined : `${protocol}//${host}${pathname.replace(/\/+$/, "")}`;
}
