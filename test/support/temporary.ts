import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A path in a new folder of its own; `remove` takes the folder away. */
export function temporaryFile(name: string): { path: string; remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), "sourcecast-"));
  return { path: join(folder, name), remove: () => rmSync(folder, { recursive: true, force: true }) };
}
