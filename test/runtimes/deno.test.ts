import { exampleSuite } from "../contracts/example.ts";
import { serveSuite } from "../contracts/serve.ts";
import { installExample } from "../support/example.ts";
import { startFixture } from "../support/fixture.ts";
import { deno } from "../support/runtimes.ts";
import { exceptions } from "./exceptions.ts";
import { type RunModules, unitSuite, withProgram } from "./unit.ts";

const runModules: RunModules = async (...args) => withProgram(await deno(), ["run", "--allow-all"])(...args);
unitSuite("Deno", runModules, exceptions.Deno);

// Without the second option Deno says once that it aborts the signal of every request, not only of those whose client left.
const args = ["run", "--allow-all", "--unstable-no-legacy-abort"];
serveSuite("Deno.serve", async () => startFixture("deno", { program: await deno(), args }));

exampleSuite("Deno", async () => {
  const example = await installExample("deno");
  const [, ...script] = (example.scripts.start ?? "").split(" ");
  return example.start(script, { program: await deno() });
});
