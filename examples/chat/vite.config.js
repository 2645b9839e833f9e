import { defineConfig } from "vite";

export default defineConfig({
  root: "page",
  build: {
    outDir: "../dist",
    emptyOutDir: true,
    rolldownOptions: {
      onwarn(warning, warn) {
        // `swr`, which useChat uses, marks modules for React Server Components. This page has none.
        if (warning.code !== "MODULE_LEVEL_DIRECTIVE") warn(warning);
      },
    },
  },
});
