import { stringify } from "yaml";

/** Objects as a stream of YAML documents, for kubectl, Argo CD and Flux. */
export function yamlText(objects: readonly object[]): string {
  // Quoted is what either version of YAML would take for something other than a text; kubectl reads 1.1.
  const options = { compat: "yaml-1.1", lineWidth: 0, aliasDuplicateObjects: false } as const;
  return objects.map((object) => stringify(object, options)).join("---\n");
}

/** The same as one `List`, which kubectl takes too. */
export function jsonText(objects: readonly object[]): string {
  return `${JSON.stringify({ apiVersion: "v1", kind: "List", items: objects }, null, 2)}\n`;
}

/** Every image that the objects' containers need, one a line, in their order. */
export function imagesText(objects: readonly object[]): string {
  const images = new Set<string>();
  const visit = (value: unknown, key: string): void => {
    if (key === "image" && typeof value === "string") images.add(value);
    if (typeof value !== "object" || value === null) return;
    for (const [name, inner] of Object.entries(value)) visit(inner, name);
  };
  for (const object of objects) visit(object, "");
  return [...images].map((image) => `${image}\n`).join("");
}
