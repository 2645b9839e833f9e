// The position of a stream in a file, from one run of the command to the next.
import { readFileSync, renameSync, writeFileSync } from "node:fs";

/** Keeps a position in a file, as one line, which users may read and write too. */
export class PositionFile {
  readonly #path: string;
  #saved: string;

  /** @throws {Error} for a file that exists and cannot be read. */
  constructor(path: string) {
    this.#path = path;
    this.#saved = read(path);
  }

  /** The position that the file has; empty for none. */
  get position(): string {
    return this.#saved;
  }

  /** Replaces the file as a whole: after a crash it has one position or the other, never a part of one. */
  save(position: string): void {
    if (position === this.#saved || position === "") return;
    const temporary = `${this.#path}.tmp`;
    writeFileSync(temporary, `${position}\n`);
    renameSync(temporary, this.#path);
    this.#saved = position;
  }
}

/** A file that does not exist yet is the normal case of the first run. */
function read(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw error;
  }
}
