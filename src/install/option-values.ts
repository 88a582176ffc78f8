import { KpushError, messageOf } from "../errors.ts";
import { parseReference } from "../image/reference.ts";
import { plain } from "../image/text.ts";
import { bytesOf } from "./quantity.ts";
import type { Subject, Toleration } from "./types.ts";

/** The error for an option's value; `wanted` completes "is not …". */
export function wrongValue(option: string, value: unknown, wanted: string): KpushError {
  return usage(`--${option}: "${plain(String(value), 200)}" is not ${wanted}`);
}

/** The error for options that do not go together, or a value that cannot be. */
export function usage(
  message: string,
  hint = "kpush install --help lists the options",
): KpushError {
  return new KpushError("USAGE", message, { hint });
}

const dnsLabel = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const dnsSubdomain =
  /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const labelValue = /^([A-Za-z0-9]([-\w.]{0,61}[A-Za-z0-9])?)?$/;

/** Whether a text may be the value of a label. */
export const isLabelValue = (text: string): boolean => labelValue.test(text);

/** `[PREFIX/]NAME`, as the keys of labels and taints are. */
function isQualifiedName(text: string): boolean {
  const slash = text.indexOf("/");
  const [prefix, name] =
    slash < 0 ? [undefined, text] : [text.slice(0, slash), text.slice(slash + 1)];
  return (
    name !== "" && labelValue.test(name) && (prefix === undefined || dnsSubdomain.test(prefix))
  );
}

/** @throws KpushError `USAGE` */
export function namespaceName(option: string, text: string): string {
  if (dnsLabel.test(text)) return text;
  throw wrongValue(option, text, "a namespace: up to 63 of a-z, 0-9 and -");
}

/** The name of an object of the cluster. @throws KpushError `USAGE` */
export function objectName(option: string, text: string): string {
  if (dnsSubdomain.test(text)) return text;
  throw wrongValue(option, text, "a name: up to 253 of a-z, 0-9, - and .");
}

/** @throws KpushError `USAGE` that says what is wrong with the reference */
export function imageReference(option: string, text: string): string {
  try {
    parseReference(text);
    return text;
  } catch (cause) {
    throw new KpushError("USAGE", `--${option}: ${messageOf(cause)}`, {
      hint: "an image is written like registry:3.1.1 or mirror.example/registry:3.1.1",
      cause,
    });
  }
}

/** @throws KpushError `USAGE` */
export function integer(option: string, value: number, [least, most]: [number, number]): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw wrongValue(option, value, `a whole number from ${least} to ${most}`);
}

/** A size of storage; one without a unit is bytes, which nobody means. @throws KpushError `USAGE` */
export function storageSize(option: string, text: string): string {
  const bytes = bytesOf(text);
  if (bytes === undefined) throw wrongValue(option, text, "a quantity such as 20Gi");
  if (bytes < 2 ** 20)
    throw usage(`--${option}: ${text} is less than a mebibyte`, `is it ${text}Gi?`);
  return text;
}

/** `KEY=VALUE` of a label. @throws KpushError `USAGE` */
export function labelPair(option: string, text: string): [string, string] {
  const equals = text.indexOf("=");
  const [key, value] = [text.slice(0, equals), text.slice(equals + 1)];
  if (equals > 0 && isQualifiedName(key) && labelValue.test(value)) return [key, value];
  throw wrongValue(option, text, "KEY=VALUE of a label");
}

/** `KEY[=VALUE][:EFFECT]` of a taint, as kubectl writes it. @throws KpushError `USAGE` */
export function toleration(option: string, text: string): Toleration {
  const [, key = "", value, effect] = /^([^=:]+)(?:=([^=:]*))?(?::([^=:]+))?$/.exec(text) ?? [];
  if (!isQualifiedName(key) || !labelValue.test(value ?? "") || !isEffect(effect)) {
    const effects = "NoSchedule, PreferNoSchedule or NoExecute";
    throw wrongValue(option, text, `KEY[=VALUE][:EFFECT] of a taint, with EFFECT ${effects}`);
  }
  return {
    key,
    ...(value === undefined ? { operator: "Exists" } : { operator: "Equal", value }),
    ...(effect && { effect }),
  };
}

function isEffect(text: string | undefined): text is Toleration["effect"] {
  return text === undefined || /^(NoSchedule|PreferNoSchedule|NoExecute)$/.test(text);
}

/** @throws KpushError `USAGE` */
export function subject(option: string, text: string): Subject {
  const [, kind, name = ""] = /^(user|group|serviceaccount):(.+)$/s.exec(text) ?? [];
  const [, namespace = "", account = ""] = /^([^:]+):([^:]+)$/.exec(name) ?? [];
  if (kind === "serviceaccount" && dnsLabel.test(namespace) && dnsSubdomain.test(account))
    return { kind: "ServiceAccount", name: account, namespace };
  // Names of users are free text; one that cannot be shown as it is would only deceive.
  if ((kind === "user" || kind === "group") && plain(name, 1000) === name)
    return { kind: kind === "user" ? "User" : "Group", name };
  const wanted = "user:NAME, group:NAME or serviceaccount:NAMESPACE:NAME";
  throw wrongValue(option, text, wanted);
}
