import vue from "@vitejs/plugin-vue";
import { defineConfig } from "vite";
import { boardRoutes } from "./board/routes.js";

/** The board's routes in the development server. */
const board = { name: "board", configureServer: ({ middlewares }) => void middlewares.use(boardRoutes) };

export default defineConfig({ plugins: [vue(), board] });
