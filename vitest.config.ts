import { defineConfig } from "vitest/config";

/** Manifests and completion scripts are imported as text, as esbuild does it in the build. */
const yamlText = {
  name: "yaml-text",
  transform: (text: string, id: string) =>
    /\.(yaml|bash|zsh|fish)$/.test(id) ? `export default ${JSON.stringify(text)};` : undefined,
};

export default defineConfig({
  plugins: [yamlText],
  test: {
    // Vitest would leave one core idle, of two.
    maxWorkers: "100%",
    // How long a test takes says nothing of it: this ends only one that hangs, on a busy machine too.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    projects: [
      { extends: true, test: { name: "unit", include: ["test/unit/**/*.test.ts"] } },
      { extends: true, test: { name: "integration", include: ["test/integration/**/*.test.ts"] } },
      {
        extends: true,
        test: {
          name: "e2e",
          include: ["test/e2e/**/*.test.ts"],
          fileParallelism: false,
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
});
