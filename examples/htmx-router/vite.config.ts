import { defineConfig } from "vite";

export default defineConfig({
  ssr: { noExternal: ["vite"] },
  esbuild: { jsx: "automatic", jsxImportSource: "preact" },
  build: {
    target: "esnext",
    rollupOptions: { input: "app/entry.client.ts" },
    outDir: "dist/client",
    assetsDir: "dist/asset",
    ssrEmitAssets: true,
    manifest: true,
  },
});
