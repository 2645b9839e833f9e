// The example for TanStack Query: the live board in its cache.
import { boardSuite } from "../contracts/board.ts";
import { installExample } from "../support/example.ts";

boardSuite("TanStack Query", async () => {
  const example = await installExample("tanstack-query");
  await example.build();
  return example;
});
