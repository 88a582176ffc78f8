// Of what the bundled libraries bring along, much is never used by kpush, and would be loaded at every
// start. Each import that is cut off stands here with its reason.
import { join } from "node:path";

/** By the importing package: the specifier as it stands in its source, and the names to provide. */
const cut = {
  // kpush resolves credentials and proxies itself: KubeConfig gets static credentials only, and is
  // asked for nothing but TLS options and headers.
  "@kubernetes/client-node": {
    "./gen/index.js": ["createConfiguration", "ServerConfiguration"],
    "./exec_auth.js": ["ExecAuth"],
    "./azure_auth.js": ["AzureAuth"],
    "./gcp_auth.js": ["GoogleCloudPlatformAuth"],
    "./oidc_auth.js": ["OpenIDConnectAuth"],
    "node-fetch": ["Headers"],
    hpagent: ["HttpProxyAgent", "HttpsProxyAgent"],
    "socks-proxy-agent": ["SocksProxyAgent"],
  },
  // Build contexts, which kpush never sends.
  dockerode: { "@balena/dockerignore": [], "tar-fs": [] },
};

/** What a cut-off import is replaced by: as an authenticator it never answers for a user. */
function stubOf(specifier, names) {
  const used = names.length > 0 ? names : ["unused"];
  const classes = used.map(
    (name) =>
      `export class ${name} { constructor() { this.stub = ${JSON.stringify(specifier)}; } isAuthProvider() { return false; } }`,
  );
  return classes.join("\n");
}

/** esbuild plugin. */
export const stubs = {
  name: "stubs",
  setup(build) {
    // Its own platform file reads package.json files and translations; ours reads nothing.
    build.onResolve({ filter: /platform-shims\/esm\.mjs$|\/argsert\.js$/ }, ({ importer }) =>
      /[\\/]node_modules[\\/]yargs[\\/]/.test(importer)
        ? { path: join(import.meta.dirname, "yargs-platform.mjs") }
        : undefined,
    );
    for (const [name, imports] of Object.entries(cut)) {
      const inside = `/node_modules/${name}/`;
      for (const [specifier, names] of Object.entries(imports)) {
        const filter = new RegExp(`^${specifier.replace(/[.@/]/g, "\\$&")}$`);
        build.onResolve({ filter }, ({ importer }) =>
          importer.replaceAll("\\", "/").includes(inside)
            ? { path: specifier, namespace: "stub", pluginData: { specifier, names } }
            : undefined,
        );
      }
    }
    build.onLoad({ filter: /.*/, namespace: "stub" }, ({ pluginData: { specifier, names } }) => ({
      contents: stubOf(specifier, names),
    }));
  },
};
