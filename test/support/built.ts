/** Global setup: dist is there and made from the present sources. */
import { build } from "../../scripts/lib/build.mjs";

export async function setup(): Promise<void> {
  if (!(await build())) throw new Error("The build failed: its errors are above, or in `npm run build`");
}
