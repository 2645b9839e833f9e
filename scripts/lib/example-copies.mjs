// Files that several examples have in common. Each example has its own, so that it can be copied on its own: those of
// examples/react are the originals, `npm run generate` copies them, and test/docs/index-pages.test.ts compares them.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./paths.mjs";

const board = ["events.js", "hub.js", "state.js", "style.css", "timetable.js"];
const node = ["board/routes.js", "server.js"];

/** The originals, below examples/react, by their copies, below examples. @type {Record<string, string>} */
export const copies = Object.fromEntries([
  ...["vue/board", "tanstack-query/board", "next/board", "sveltekit/src/lib/board"].flatMap((folder) =>
    board.map((file) => [`${folder}/${file}`, `board/${file}`]),
  ),
  ...["vue", "tanstack-query"].flatMap((example) => node.map((file) => [`${example}/${file}`, file])),
  ["next/board/Board.jsx", "board/Board.jsx"],
  ["tanstack-query/board/Board.jsx", "board/Board.jsx"],
]);

export function writeCopies() {
  for (const [copy, original] of Object.entries(copies)) {
    writeFileSync(join(root, "examples", copy), readFileSync(join(root, "examples/react", original)));
  }
}
