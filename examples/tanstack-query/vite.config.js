import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";
import { boardRoutes } from "./board/routes.js";

/** The board's routes in the development server. */
const board = { name: "board", configureServer: ({ middlewares }) => void middlewares.use(boardRoutes) };

export default defineConfig({ plugins: [react(), board] });
