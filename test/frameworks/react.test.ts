// The example for React: the live board on Vite.
import { boardSuite } from "../contracts/board.ts";
import { installExample } from "../support/example.ts";

boardSuite("React", async () => {
  const example = await installExample("react");
  await example.build();
  return example;
});
