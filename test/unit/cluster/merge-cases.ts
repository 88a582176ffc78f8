/** One way in which KUBECONFIG may name files, and what kubectl makes of it. */
export interface MergeCase {
  title: string;
  /** Contents in the order of KUBECONFIG; `undefined` for a file that is not there. */
  files: (string | undefined)[];
  /** What the chosen context comes to; undefined where kubectl refuses the files. */
  expected:
    { context: string; server: string; namespace: string; token: string | undefined } | undefined;
}

/** A kubeconfig with one context, cluster and user, all of one name. */
export function kubeconfig(
  name: string,
  more: { current?: boolean; server?: string } = {},
): string {
  const { current = true, server = `https://${name}.example` } = more;
  return [
    "apiVersion: v1",
    "kind: Config",
    ...(current ? [`current-context: ${name}`] : []),
    `clusters: [{name: ${name}, cluster: {server: "${server}"}}]`,
    `users: [{name: ${name}, user: {token: token-${name}}}]`,
    `contexts: [{name: ${name}, context: {cluster: ${name}, user: ${name}, namespace: ns-${name}}}]`,
    "",
  ].join("\n");
}

const is = (name: string) => ({
  context: name,
  server: `https://${name}.example`,
  namespace: `ns-${name}`,
  token: `token-${name}`,
});

/** The rules of client-go's loading, as a table; the e2e test holds it against the real kubectl. */
export const mergeCases: MergeCase[] = [
  { title: "one file", files: [kubeconfig("a")], expected: is("a") },
  {
    title: "the first current-context wins",
    files: [kubeconfig("a"), kubeconfig("b")],
    expected: is("a"),
  },
  {
    title: "a file without current-context leaves it to the next",
    files: [kubeconfig("a", { current: false }), kubeconfig("b")],
    expected: is("b"),
  },
  {
    title: "an empty current-context leaves it to the next",
    files: [`current-context: ""\n${kubeconfig("a", { current: false })}`, kubeconfig("b")],
    expected: is("b"),
  },
  {
    title: "a missing file is passed over",
    files: [undefined, kubeconfig("b"), undefined],
    expected: is("b"),
  },
  { title: "an empty file is passed over", files: ["", kubeconfig("b")], expected: is("b") },
  {
    title: "a file of comments is passed over",
    files: ["# nothing\n", kubeconfig("b")],
    expected: is("b"),
  },
  {
    title: "the first cluster of a name wins",
    files: [kubeconfig("a", { server: "https://first.example" }), kubeconfig("a")],
    expected: { ...is("a"), server: "https://first.example" },
  },
  {
    title: "the first user of a name wins as a whole",
    files: [
      "users: [{name: a, user: {token: first}}]\n",
      kubeconfig("a").replace("token: token-a", "token: second, username: u, password: p"),
    ],
    expected: { ...is("a"), token: "first" },
  },
  {
    title: "the first context of a name wins as a whole",
    files: [
      "contexts: [{name: b, context: {cluster: a, user: a}}]\n",
      kubeconfig("b"),
      kubeconfig("a"),
    ],
    expected: { ...is("a"), context: "b", namespace: "default" },
  },
  {
    title: "context, cluster and user may stand in three files",
    files: [
      "current-context: x\ncontexts: [{name: x, context: {cluster: a, user: b}}]\n",
      kubeconfig("a", { current: false }),
      kubeconfig("b", { current: false }),
    ],
    expected: { context: "x", server: "https://a.example", namespace: "default", token: "token-b" },
  },
  {
    title: "JSON, also with tabs, is a kubeconfig",
    files: [
      JSON.stringify(
        {
          "current-context": "j",
          clusters: [{ name: "j", cluster: { server: "https://j.example" } }],
          users: [{ name: "j", user: { token: "token-j" } }],
          contexts: [{ name: "j", context: { cluster: "j", user: "j", namespace: "ns-j" } }],
        },
        undefined,
        "\t",
      ),
    ],
    expected: is("j"),
  },
  {
    title: "lists may be null",
    files: ["clusters: null\nusers: null\ncontexts:\n", kubeconfig("b")],
    expected: is("b"),
  },
  {
    title: "anchors and merge keys are resolved",
    files: [
      "x: &x {cluster: a, user: a, namespace: ns-a}\ncontexts: [{name: a, context: {<<: *x}}]\n",
      kubeconfig("a"),
    ],
    expected: is("a"),
  },
  {
    title: "the last of two equal keys wins",
    files: [`current-context: b\n${kubeconfig("a")}`, kubeconfig("b")],
    expected: is("a"),
  },
  {
    title: "only the first document of a file counts",
    files: [`${kubeconfig("a")}---\ncurrent-context: b\n`, kubeconfig("b")],
    expected: is("a"),
  },
  {
    title: "broken YAML in any file is an error",
    files: [kubeconfig("a"), "clusters: [\n"],
    expected: undefined,
  },
  { title: "a list is no kubeconfig", files: ["- a\n", kubeconfig("b")], expected: undefined },
  {
    title: "another kind is no kubeconfig",
    files: ["apiVersion: v1\nkind: Pod\n", kubeconfig("b")],
    expected: undefined,
  },
  {
    title: "two entries of one name in one file are an error",
    files: [
      kubeconfig("a").replace(
        "clusters: [",
        'clusters: [{name: a, cluster: {server: "https://x"}}, ',
      ),
    ],
    expected: undefined,
  },
];
