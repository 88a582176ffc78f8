import { CORE_SCHEMA, dump, load } from "js-yaml";
import { mapping } from "../../cluster/values.ts";
import { messageOf } from "../../errors.ts";
import { plain } from "../../image/text.ts";
import { usage } from "../option-values.ts";
import { checkConfig, isMapping } from "./config-rules.ts";
import { manifest, type ConfigMap } from "./manifests.ts";

type Config = Readonly<Record<string, unknown>>;

/** kpush's own configuration of the registry, as the manifest has it. */
const ownText = (): string => (manifest("registryConfig") as ConfigMap).data["config.yml"] ?? "";

/**
 * Reads the user's settings of the registry.
 *
 * @param text - YAML, as distribution's configuration; a part of it is enough
 * @throws KpushError `USAGE` for what is no YAML, unknown, or would break what kpush relies on
 */
export function parseRegistryConfig(text: string): Config {
  const config = loaded(text);
  checkConfig(config, mapping(load(ownText())));
  // Ours says it.
  return Object.fromEntries(Object.entries(mapping(config)).filter(([key]) => key !== "version"));
}

function loaded(text: string): unknown {
  try {
    return load(text, { schema: CORE_SCHEMA }) ?? {};
  } catch (error) {
    const why = plain(messageOf(error).split("\n")[0] ?? "", 300);
    throw usage(
      `--config: the file is not valid YAML: ${why}`,
      "settings are written as key: value",
    );
  }
}

/** The registry's `config.yml`: ours, as it is written down, unless the user's has something to say. */
export function registryConfigText(config: Config): string {
  if (Object.keys(config).length === 0) return ownText();
  return dump(merged(mapping(load(ownText())), config), { lineWidth: -1 });
}

/** Mappings are merged; all else replaces ours. Null says nothing. */
function merged(ours: Config, theirs: Config): Config {
  const replaced = Object.entries(theirs)
    .filter(([, value]) => value !== null)
    .map(([key, value]) => [key, isMapping(ours[key]) ? merged(ours[key], mapping(value)) : value]);
  return { ...ours, ...(Object.fromEntries(replaced) as Config) };
}
