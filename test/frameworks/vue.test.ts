// The example for Vue: the live board on Vite.
import { boardSuite } from "../contracts/board.ts";
import { installExample } from "../support/example.ts";

boardSuite("Vue", async () => {
  const example = await installExample("vue");
  await example.build();
  return example;
});
